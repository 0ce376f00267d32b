/*
 * The micro-world's classification set in the formats that the pack tools read.
 *
 * Each writer makes its output beside the target and renames it when it is whole. Errors:
 * STATUS_CANTCREATE (the folder is missing or the target is in the way), STATUS_IO (not written
 * whole).
 */
#ifndef DATA_SHAPES_WRITE_H
#define DATA_SHAPES_WRITE_H

#include "lib/data/shapes.h"
#include "lib/io/provenance.h"

struct shapes_set {
	uint64_t seed;
	enum shapes_split split;
	int64_t count;
};

/* Called now and then with the number of pictures written; may be NULL. */
typedef void (*shapes_report)(void *context, int64_t done);

/* An `images` file: pixels (count, 32, 32, 3), labels, class_names, attribute `split`. */
int shapes_write_h5(const struct shapes_set *set, const char *path,
	const struct provenance *provenance, shapes_report report, void *context);

/*
 * The binary records of CIFAR-100, 3,074 bytes a picture: coarse label (the shape), fine label (the
 * class), 1,024 red, 1,024 green, 1,024 blue values by rows. Beside it, as in the published
 * archive, `fine_label_names.txt` and `coarse_label_names.txt`, filled up to 100 and 20 names with
 * "unused-48" and so on; and `classes.txt`, the names in use.
 */
int shapes_write_cifar(
	const struct shapes_set *set, const char *path, shapes_report report, void *context);

/*
 * A folder per class with a picture each, named by sample: circle-red/00012.png. PNG is exact; JPEG
 * has quality 95 and full colour resolution (4:4:4).
 */
enum shapes_picture { SHAPES_PNG, SHAPES_JPEG };
int shapes_write_folder(const struct shapes_set *set, enum shapes_picture type, const char *path,
	shapes_report report, void *context);

#endif
