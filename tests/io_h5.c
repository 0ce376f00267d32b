/* Files: what is written is read back, in every type, in any order, with equal bytes. */
#include <math.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/error.h"
#include "lib/io/h5.h"
#include "tests/folder.h"
#include "tests/tap.h"

static int good(int status, const char *what)
{
	ok(status == 0, "%s", what);
	if (status)
		diag("%d: %s", status, error_message());
	return status == 0;
}

/* The status is the one wanted and the message begins with the path. */
static void refused(int status, int wanted, const char *what)
{
	ok(status == wanted && !strncmp(error_message(), test_folder(), strlen(test_folder())),
		"%s: %d", what, wanted);
	diag("%d: %s", status, error_message());
}

static void every_type(void)
{
	static const int64_t shape[2] = {3, 2};
	static const float f32[6] = {0, -0.0f, 1.5f, INFINITY, -3.25e-40f, NAN};
	static const double f64[6] = {0, 1, 2, 1e300, -5e-324, 0.1};
	static const uint16_t f16[6] = {0x3c00, 1, 0x7c00, 0xfe00, 0x8000, 0x7bff};
	static const uint16_t bf16[6] = {0x3f80, 1, 0x7f80, 0xffc0, 0x8000, 0x7f7f};
	static const int32_t i32[6] = {0, -1, INT32_MAX, INT32_MIN, 5, 6};
	static const int64_t i64[6] = {0, -1, INT64_MAX, INT64_MIN, 5, 6};
	static const uint8_t u8[6] = {0, 1, 2, 255, 4, 5};
	static const uint64_t u64[6] = {0, 1, 2, UINT64_MAX, 4, 5};
	static const struct {
		const char *name;
		enum h5_type type;
		const void *values;
	} all[] = {{"f32", H5_F32, f32}, {"f64", H5_F64, f64}, {"f16", H5_F16, f16},
		{"bf16", H5_BF16, bf16}, {"i32", H5_I32, i32}, {"i64", H5_I64, i64},
		{"u8", H5_U8, u8}, {"u64", H5_U64, u64}};
	const char *path = in_folder("types.h5");
	struct h5 *f;
	char got[48];
	int status = h5_create(&f, path, "weights");

	for (int i = 0; i < 8 && !status; i++)
		status = h5_put(f, all[i].name, all[i].type, 2, shape, all[i].values);
	if (!good(status, "all types written") || !good(h5_commit(&f), "committed") ||
		!good(h5_open(&f, path, "images|weights"), "opened"))
		return;
	for (int i = 0; i < 8; i++) {
		enum h5_type type;
		int dims;
		int64_t has[H5_DIMS];

		status = h5_shape(f, all[i].name, &type, &dims, has);
		ok(!status && type == all[i].type && dims == 2 && has[0] == 3 && has[1] == 2 &&
				!h5_get(f, all[i].name, type, 2, shape, got) &&
				!memcmp(got, all[i].values, 6 * h5_type_size(type)),
			"%s comes back bit for bit", h5_type_name(all[i].type));
	}
	h5_close(&f);
}

/* Values worked out by hand from the formats. */
static void conversions(void)
{
	static const int64_t n = 6;
	/* ties: 1 + 2^-8 down to even, 1 + 3 2^-8 up; subnormal; largest */
	static const float f32[6] = {1.00390625f, 1.01171875f, -2.5f, 1e-40f, 3.38e38f, NAN};
	static const uint16_t as_bf16[5] = {0x3f80, 0x3f82, 0xc020, 0x0001, 0x7f7e};
	/* 2049 ties to 2048, 2051 to 2052, smallest subnormal 2^-24, half of it to 0, 65519 to
	 * 65504 */
	static const double f64[6] = {
		2049, 2051, 5.9604644775390625e-8, 2.98023223876953125e-8, 65519, -INFINITY};
	static const uint16_t as_f16[6] = {0x6800, 0x6802, 1, 0, 0x7bff, 0xfc00};
	static const int64_t i64[6] = {-2147483648LL, 2147483647, 0, 255, 1, 2};
	static const double large[1] = {65520};
	const char *path = in_folder("convert.h5");
	uint16_t bits[6];
	int32_t i32[6];
	uint8_t u8[6];
	float back[6];
	double wide[6];
	struct h5 *f;
	int64_t one = 1;
	int status = h5_create(&f, path, "weights");

	status = status ? status : h5_dataset(f, "b", H5_BF16, 1, &n, NULL);
	status = status ? status : h5_write(f, "b", H5_F32, 0, n, f32);
	status = status ? status : h5_dataset(f, "h", H5_F16, 1, &n, NULL);
	status = status ? status : h5_write(f, "h", H5_F64, 0, n, f64);
	status = status ? status : h5_put(f, "i", H5_I64, 1, &n, i64);
	good(status, "written with conversion");
	if (!status && !h5_dataset(f, "x", H5_F16, 1, &one, NULL))
		refused(h5_write(f, "x", H5_F64, 0, 1, large), STATUS_DATA, "65520 as f16");
	bits[0] = 0;
	good(h5_write(f, "x", H5_F16, 0, 1, bits), "a refused value does not spoil the file");
	if (!good(h5_commit(&f), "committed") || h5_open(&f, path, NULL))
		return;
	h5_read(f, "b", H5_BF16, 0, n, bits);
	ok(!memcmp(bits, as_bf16, sizeof(as_bf16)) && (bits[5] & 0x7fff) > 0x7f80,
		"f32 to bf16 rounds to nearest even");
	h5_read(f, "h", H5_F16, 0, n, bits);
	ok(!memcmp(bits, as_f16, sizeof(as_f16)), "f64 to f16 rounds to nearest even");
	h5_read(f, "h", H5_F32, 0, n, back);
	ok(back[0] == 2048 && back[2] == 0x1p-24f && back[4] == 65504 && back[5] == -INFINITY,
		"f16 to f32 is exact");
	h5_read(f, "b", H5_F64, 0, n, wide);
	ok(wide[1] == 1.015625 && isnan(wide[5]), "bf16 to f64 is exact");
	ok(!h5_read(f, "i", H5_I32, 0, n, i32) && i32[0] == INT32_MIN && i32[1] == INT32_MAX,
		"i64 to i32");
	refused(h5_read(f, "i", H5_U8, 0, n, u8), STATUS_DATA, "-2147483648 as u8");
	ok(!h5_read(f, "i", H5_U8, 2, 4, u8) && u8[1] == 255, "what fits u8 is read");
	refused(h5_read(f, "i", H5_F32, 0, n, back), STATUS_DATA, "integers as floats");
	h5_close(&f);
}

static void rows_and_growth(void)
{
	static const int64_t shape[3] = {-1, 5, 7};
	const struct h5_layout layout = {
		.deflate = 1, .chunk_rows = 4, .units = "1", .axes = "sample token channel"};
	const char *path = in_folder("rows.h5");
	float row[35], got[70];
	int64_t has[H5_DIMS];
	enum h5_type type;
	struct h5 *f;
	int status = h5_create(&f, path, "features"), dims, wrong = 0;

	status = status ? status : h5_dataset(f, "tokens", H5_F32, 3, shape, &layout);
	for (int i = 0; i < 103 && !status; i++) {
		for (int k = 0; k < 35; k++)
			row[k] = 100 * i + k;
		status = h5_write(f, "tokens", H5_F32, i, 1, row);
	}
	good(status, "103 rows written one by one");
	if (!good(h5_commit(&f), "committed") || !good(h5_open(&f, path, "features"), "opened"))
		return;
	ok(!h5_shape(f, "tokens", &type, &dims, has) && dims == 3 && has[0] == 103,
		"it grew to 103 rows");
	for (int i = 101; i >= 0; i -= 3) {
		wrong += h5_read(f, "tokens", H5_F32, i, 2, got) != 0;
		wrong += got[0] != 100 * i || got[69] != 100 * (i + 1) + 34;
	}
	ok(!wrong, "pairs of rows, read backwards");
	refused(h5_read(f, "tokens", H5_F32, 102, 2, got), STATUS_DATA, "rows beyond the end");
	refused(h5_read(f, "tokens", H5_F32, -1, 1, got), STATUS_DATA, "row -1");
	refused(h5_read(f, "nothing", H5_F32, 0, 1, got), STATUS_DATA, "no such dataset");
	h5_close(&f);
}

static void scalars_empty_text(void)
{
	static const char *const words[3] = {
		"goldfish", "", "Gr\xc3\xbc\xc3\x9f\x65 \xf0\x9f\x90\xa0"};
	static const char *const latin[1] = {"Gr\xfc"};
	static const int64_t none[2] = {0, 4};
	const char *path = in_folder("small.h5");
	float x = 2.5f, y = 0;
	char **text, **names;
	int64_t count, i;
	double r;
	int n;
	char *t;
	struct h5 *f;
	int status = h5_create(&f, path, "images");

	status = status ? status : h5_put(f, "scalar", H5_F32, 0, NULL, &x);
	status = status ? status : h5_put(f, "empty", H5_F32, 2, none, NULL);
	status = status ? status : h5_put_strings(f, "class_names", 3, words);
	status = status ? status : h5_put_strings(f, "nothing", 0, NULL);
	status = status ? status : h5_put_text(f, "config", "{\"depth\": 12}");
	status = status ? status : h5_put_text(f, "config", "{\"depth\": 24}");
	status = status ? status : h5_put_int(f, "seed", -7);
	status = status ? status : h5_put_real(f, "share", 0.1);
	good(status, "scalar, empty, texts, attributes");
	refused(h5_put_strings(f, "latin", 1, latin), STATUS_DATA, "Latin-1 text");
	refused(h5_dataset(f, "a/b", H5_F32, 0, NULL, NULL), STATUS_DATA, "a name with a slash");
	if (!good(h5_commit(&f), "committed") || !good(h5_open(&f, path, "images"), "opened"))
		return;
	ok(!h5_get(f, "scalar", H5_F32, 0, NULL, &y) && y == 2.5f, "the scalar");
	ok(!h5_get(f, "empty", H5_F32, 2, none, NULL), "the empty one");
	ok(!h5_get_strings(f, "class_names", &count, &text) && count == 3 &&
			!strcmp(text[0], "goldfish") && !text[1][0] && !strcmp(text[2], words[2]),
		"the texts");
	free(text);
	ok(!h5_get_strings(f, "nothing", &count, &text) && count == 0, "no texts");
	free(text);
	ok(!h5_names(f, &names, &n) && n == 4 && !strcmp(names[0], "scalar") &&
			!strcmp(names[3], "nothing"),
		"names in order of creation");
	free(names);
	ok(!h5_get_text(f, "config", &t) && !strcmp(t, "{\"depth\": 24}"), "text replaced");
	free(t);
	ok(!h5_get_int(f, "seed", &i) && i == -7 && !h5_get_real(f, "share", &r) && r == 0.1,
		"numbers");
	refused(h5_get_text(f, "arch", &t), STATUS_DATA, "an attribute that is not there");
	refused(h5_get_int(f, "config", &i), STATUS_DATA, "text as a number");
	ok(h5_has(f, "scalar") && !h5_has(f, "nope") && !h5_has(f, "/scalar") && !h5_has(f, "."),
		"has");
	h5_close(&f);
}

int main(void)
{
	every_type();
	conversions();
	rows_and_growth();
	scalars_empty_text();
	if (!getenv("KEEP"))
		remove_folder(test_folder());
	return done();
}
