/*
 * Small odd files (tests/golden/images): the pixels that Pillow reads, or the refusal that fits.
 * And every file cut at every length: an error each time, never a crash.
 */
#include "lib/base/error.h"
#include "lib/data/decode.h"
#include "tests/pictures.h"
#include "tests/tap.h"

#define FILE_MAX 65536

static uint8_t data[FILE_MAX];

static size_t file_read(const char *name)
{
	char path[256];
	size_t size;
	FILE *f;

	snprintf(path, sizeof(path), "tests/golden/images/%s", name);
	f = fopen(path, "rb");
	if (!f)
		return FILE_MAX;
	size = fread(data, 1, FILE_MAX, f);
	fclose(f);
	return size;
}

static void check_refused(const char *name, const char *words, struct picture *p)
{
	size_t size = file_read(name);
	int status = size < FILE_MAX ? picture_decode(p, data, size) : 0;

	if (!ok(status == STATUS_DATA && strstr(error_message(), words), "%s is refused: %s", name,
		    words))
		diag("status %d, %s", status, error_message());
}

/* Cut anywhere it is damaged, but for what comes after the end. */
static void check_cuts(const char *name, size_t size, struct picture *p)
{
	size_t taken = 0, limit = !strcmp(name, "tail.jpg") ? size - 24 : size;

	for (size_t n = 0; n < limit; n++) {
		uint8_t *copy = malloc(n ? n : 1); /* so that the sanitizer sees a read too far */

		memcpy(copy, data, n);
		taken += picture_decode(p, copy, n) != STATUS_DATA;
		free(copy);
	}
	ok(taken == 0, "%s cut at any byte is refused", name);
}

static void check_line(char *line, struct picture *p)
{
	char *name = strtok(line, "\t\n"), *first = strtok(NULL, "\t\n");
	char *second = strtok(NULL, "\t\n"), *third;
	size_t size;
	int status;

	if (!strcmp(first, "-")) {
		check_refused(name, second, p);
		return;
	}
	third = strtok(NULL, "\t\n");
	size = file_read(name);
	if (!ok(size < FILE_MAX, "%s is there", name))
		return;
	status = picture_decode(p, data, size);
	if (!ok(!status && p->width == atoi(first) && p->height == atoi(second) &&
			    picture_hash(p->pixels, (size_t)(p->width * p->height * 3)) ==
				    strtoul(third, NULL, 16),
		    "%s: the pixels of Pillow", name))
		diag("status %d: %s", status, status ? error_message() : "other pixels");
	check_cuts(name, size, p);
}

static void check_png_written(void)
{
	uint8_t image[7 * 5 * 3];
	char path[] = "/tmp/data_decode.XXXXXX";
	struct picture p = {0};
	int fd = mkstemp(path);
	FILE *f;
	size_t size = 0;

	picture_fill(PICTURE_NOISE, image, 5, 7);
	ok(fd >= 0 && !picture_write_png(path, image, 5, 7), "a PNG is written");
	f = fopen(path, "rb");
	if (f)
		size = fread(data, 1, FILE_MAX, f);
	ok(!picture_decode(&p, data, size) && p.height == 5 && p.width == 7 &&
			!memcmp(p.pixels, image, sizeof(image)),
		"and read again");
	if (f)
		fclose(f);
	remove(path);
	free(p.pixels);
	ok(picture_write_png("/nowhere/x.png", image, 5, 7) == STATUS_CANTCREATE,
		"a folder that is not there");
}

int main(void)
{
	FILE *f = fopen("tests/golden/images.tsv", "r");
	struct picture p = {0};
	char line[256];
	int lines = 0;

	if (!ok(f != NULL, "the list of files is there"))
		return done();
	while (fgets(line, sizeof(line), f))
		if (line[0] != '#') {
			check_line(line, &p);
			lines++;
		}
	fclose(f);
	ok(lines > 40, "%d files", lines);
	check_png_written();
	free(p.pixels);
	return done();
}
