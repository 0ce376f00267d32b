/*
 * Writes small files of several kinds into a folder, for tests of tools; a test that they can be.
 */
#include <stdio.h>
#include <unistd.h>
#include "lib/base/error.h"
#include "lib/io/h5.h"
#include "lib/io/provenance.h"
#include "tests/folder.h"
#include "tests/tap.h"

static const char *folder;

static int begin(struct h5 **f, const char *name, const char *kind)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return h5_create(f, path, kind);
}

static int end(struct h5 *f, double seconds)
{
	struct provenance p = {.tool = "make-samples", .version = "1", .seconds = seconds};

	TRY(provenance_write(&p, f));
	return h5_commit(&f);
}

/* head.weight (10, 48) and head.bias (10): -0.5, 0, 0.5, ... */
static int weights(const char *name, enum h5_type type, int changed, const char *config)
{
	static const int64_t shape[2] = {10, 48};
	float w[480], b[10];
	struct h5 *f;

	for (int i = 0; i < 480; i++)
		w[i] = (float)(i - 240) / 77;
	for (int i = 0; i < 10; i++)
		b[i] = (float)(i - 1) / 2;
	b[9] -= changed ? 0.25f : 0;
	TRY(begin(&f, name, "weights"));
	TRY(h5_put_text(f, "arch", "deit-micro-t"));
	TRY(h5_put_text(f, "config", config));
	TRY(h5_put_int(f, "depth", changed ? 5 : 4));
	TRY(h5_dataset(f, "head.weight", type, 2, shape, NULL));
	TRY(h5_write(f, "head.weight", H5_F32, 0, 10, w));
	TRY(h5_dataset(f, "head.bias", H5_F32, 1, shape, NULL));
	TRY(h5_write(f, "head.bias", H5_F32, 0, 10, b));
	if (changed)
		TRY(h5_put(f, "extra", H5_F32, 0, NULL, b));
	return end(f, name[0] == 'a');
}

static int images(const char *name, int wrong_label)
{
	static const char *const classes[3] = {"red", "green", "Gr\xc3\xbcn"};
	static const int64_t shape[4] = {6, 4, 4, 3};
	const struct h5_layout layout = {
		.long_name = "images", .units = "1", .axes = "sample row column colour"};
	int32_t labels[6] = {0, 1, 2, 0, 1, -1};
	uint8_t pixels[288];
	struct h5 *f;

	for (int i = 0; i < 288; i++)
		pixels[i] = (uint8_t)i;
	if (wrong_label)
		labels[3] = 7;
	TRY(begin(&f, name, "images"));
	TRY(h5_dataset(f, "pixels", H5_U8, 4, shape, &layout));
	TRY(h5_write(f, "pixels", H5_U8, 0, 6, pixels));
	TRY(h5_put(f, "labels", H5_I32, 1, shape, labels));
	TRY(h5_put_strings(f, "class_names", 3, classes));
	return end(f, 0);
}

static int encoded(const char *name, int wrong_offset)
{
	uint64_t offset[4] = {0, 10, wrong_offset ? 8 : 20, 30};
	const int64_t bytes = 30, count = 4;
	uint8_t data[30] = {0};
	struct h5 *f;

	TRY(begin(&f, name, "images"));
	TRY(h5_put(f, "encoded", H5_U8, 1, &bytes, data));
	TRY(h5_put(f, "offset", H5_U64, 1, &count, offset));
	return end(f, 0);
}

static int future(void)
{
	struct h5 *f;
	float x = 0;

	TRY(begin(&f, "future.h5", "weights"));
	TRY(h5_put_int(f, "format_version", 2));
	TRY(h5_put(f, "x", H5_F32, 0, NULL, &x));
	return h5_commit(&f);
}

int main(int argc, char **argv)
{
	char own[] = "/tmp/io_samples-XXXXXX";

	folder = argc > 1 ? argv[1] : mkdtemp(own);
	ok(!weights("weights.h5", H5_F32, 0, "{}"), "weights");
	ok(!weights("again.h5", H5_F32, 0, "{}"), "weights with other provenance");
	ok(!weights("changed.h5", H5_F32, 1, "{}"), "other weights");
	ok(!weights("bf16.h5", H5_BF16, 0, "{}"), "weights in bf16");
	ok(!weights("noconfig.h5", H5_F32, 0, "{depth: 3"), "weights with a broken config");
	ok(!images("images.h5", 0) && !images("labels.h5", 1), "images");
	ok(!encoded("encoded.h5", 0) && !encoded("offsets.h5", 1), "encoded images");
	ok(!future(), "a file of another version");
	if (argc == 1)
		remove_folder(folder);
	return done();
}
