/* Parts of every layout, joined, have the bytes of the file written at once; wrong parts. */
#include <stdint.h>
#include <unistd.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/io/check.h"
#include "lib/io/join.h"
#include "tests/folder.h"
#include "tests/tap.h"

#define ROWS 5000
#define WIDE 300

/* Chunks of a given size and deflated; chosen ones; growing; axes, words and units; attributes. */
static int fill(struct h5 *f, int64_t first, int64_t count)
{
	static double a[ROWS * 3];
	static uint16_t b[ROWS * WIDE];
	static int32_t c[ROWS];
	static char text[ROWS][24];
	static const char *texts[ROWS];
	struct h5_layout small = {.chunk_rows = 5,
		.deflate = 4,
		.long_name = "small ones",
		.units = "m",
		.axes = "sample axis"};

	for (int64_t i = 0; i < ROWS; i++) {
		for (int k = 0; k < 3; k++)
			a[3 * i + k] = (double)i / (k + 1);
		for (int k = 0; k < WIDE; k++)
			b[i * WIDE + k] = (uint16_t)((i * 31 + k) % 0x7f00);
		c[i] = (int32_t)(i * i);
		snprintf(text[i], sizeof(text[i]), "text %.*s%lld", (int)(i % 9), "         ",
			(long long)i);
		texts[i] = text[i];
	}
	TRY(h5_put_int(f, "steps", -3));
	TRY(h5_put_real(f, "rate", 0.1));
	TRY(h5_dataset(f, "a", H5_F64, 2, (int64_t[]){count, 3}, &small));
	TRY(h5_write(f, "a", H5_F64, 0, count, a + 3 * first));
	TRY(h5_put(f, "b", H5_BF16, 2, (int64_t[]){count, WIDE}, b + WIDE * first));
	TRY(h5_dataset(f, "c", H5_I32, 1, (int64_t[]){-1}, NULL));
	for (int64_t i = 0; i < count; i++)
		TRY(h5_write(f, "c", H5_I32, i, 1, c + first + i));
	return h5_put_strings(f, "d", count, texts + first);
}

static int make(const char *path, const char *part)
{
	struct part p = {0};
	int64_t first, count;
	struct h5 *f;
	int status;

	if (part)
		TRY(part_parse(&p, part));
	TRY(part_range(&p, ROWS, 7, &first, &count));
	TRY(h5_create(&f, path, "predictions"));
	status = part_mark(f, &p, "rows %d", ROWS);
	if (!status)
		status = fill(f, first, count);
	if (!status)
		return h5_commit(&f);
	h5_close(&f);
	return status;
}

static int join(char *const *paths, int count, const char *out)
{
	struct join j;
	struct h5 *f;
	int status;

	TRY(join_open(&j, paths, count));
	status = h5_create(&f, out, "predictions");
	if (!status)
		status = join_write(&j, f, NULL, NULL);
	join_close(&j);
	if (!status)
		return h5_commit(&f);
	h5_close(&f);
	return status;
}

static int same_bytes(const char *a, const char *b)
{
	FILE *f = fopen(a, "rb"), *g = fopen(b, "rb");
	int x = 0, y = f && g ? 0 : 1;

	while (x == y && x != EOF) {
		x = getc(f);
		y = getc(g);
	}
	if (f)
		fclose(f);
	if (g)
		fclose(g);
	return x == y;
}

static void joined(int n)
{
	char *path[40], *whole = in_folder("whole.h5"), *out = in_folder("joined.h5");
	int status = make(whole, NULL);

	for (int i = 0; i < n; i++) {
		char name[40];

		snprintf(name, sizeof(name), "%d/%d", i + 1, n);
		path[i] = memory_format("%s/%d-of-%d.h5", test_folder(), i + 1, n);
		if (!status)
			status = make(path[i], name);
	}
	if (!status)
		status = join(path, n, out);
	ok(status == 0 && same_bytes(whole, out), "%d parts have the bytes of the whole", n);
	if (status)
		diag("%d: %s", status, error_message());
	for (int i = 0; i < n; i++)
		free(path[i]);
}

/* --- wrong ones --- */

static void refused(int status, const char *words)
{
	ok(status == STATUS_DATA && strstr(error_message(), words), "refused: %s", words);
	diag("%d: %s", status, error_message());
}

/* Two images of three bytes, with what `wrong` says. */
static int make_images(const char *path, const char *part, const char *wrong)
{
	static const uint8_t bytes[3] = {1, 2, 3};
	const char *names[] = {"x", "y", "z"};
	uint64_t offset[3] = {0, 1, !strcmp(wrong, "offset") ? 9 : 3};
	int32_t labels[2] = {0, !strcmp(wrong, "label") ? 7 : 1};
	struct h5 *f;

	if (!strcmp(wrong, "class"))
		names[1] = "Y";
	TRY(h5_create(&f, path, "images"));
	h5_put_text(f, "part", part);
	h5_put_text(f, "part_of", "4 images");
	h5_put(f, "encoded", H5_U8, 1, (int64_t[]){3}, bytes);
	h5_put(f, "offset", H5_U64, 1, (int64_t[]){3}, offset);
	h5_put(f, "labels", H5_I32, 1, (int64_t[]){2}, labels);
	h5_put_strings(f, "class_names", strcmp(wrong, "classes") ? 2 : 3, names);
	h5_put_strings(f, "names", strcmp(wrong, "names") ? 2 : 1, names);
	if (!strcmp(wrong, "scalar"))
		h5_put(f, "scalar", H5_U8, 0, NULL, bytes);
	return h5_commit(&f);
}

static void wrong(const char *what, const char *words)
{
	char *path[2] = {in_folder("1.h5"), in_folder("2.h5")}, *out = in_folder("no.h5");
	int status = make_images(path[0], "1/2", !strcmp(what, "scalar") ? what : "");

	if (!status)
		status = make_images(path[1], !strcmp(what, "part") ? "2/x" : "2/2", what);
	if (!status)
		status = join(path, 2, out);
	refused(status, words);
	ok(access(out, F_OK) != 0, "nothing appears");
}

static void images(void)
{
	static const uint64_t want[5] = {0, 1, 3, 4, 6};
	char *path[2] = {in_folder("2.h5"), in_folder("1.h5")};
	uint64_t got[5] = {0};
	struct join j;
	struct h5 *f;
	int status = make_images(path[1], "1/2", "");

	if (!status)
		status = make_images(path[0], "2/2", "");
	if (!status)
		status = join_open(&j, path, 2);
	if (!ok(status == 0, "parts of images are taken in any order"))
		return;
	ok(join_pieces(&j) == 9, "four tensors of two parts, and the names of classes once");
	status = h5_create(&f, in_folder("images.h5"), "images");
	if (!status)
		status = join_write(&j, f, NULL, NULL);
	join_close(&j);
	if (!status)
		status = h5_commit(&f);
	if (!status)
		status = h5_open(&f, in_folder("images.h5"), "images");
	ok(status == 0 && !h5_get(f, "offset", H5_U64, 1, (int64_t[]){5}, got) &&
			!memcmp(got, want, sizeof(want)) && !check_whole(f),
		"offsets go on");
	if (!status)
		h5_close(&f);
}

int main(void)
{
	struct h5 *f;

	joined(1);
	joined(3);
	joined(40);
	images();
	refused(h5_open(&f, in_folder("1-of-3.h5"), "predictions"),
		"1-of-3.h5: is part 1 of 3: join-parts puts them together");
	wrong("part", "2.h5: attribute part is not I/N");
	wrong("offset", "2.h5: offset[2] is 9, beyond 0..3");
	wrong("label", "2.h5: labels[1] is 7");
	wrong("names", "2.h5: names is text (1)");
	wrong("class", "2.h5: its class_names differ from those of");
	wrong("classes", "2.h5: its class_names differ from those of");
	wrong("scalar", "1.h5: scalar is a scalar, which cannot be joined");
	remove_folder(test_folder());
	return done();
}
