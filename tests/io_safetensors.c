/* safetensors: a file of the reference writer, every rule of the reader broken once, the writer. */
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/error.h"
#include "lib/io/checkpoint.h"
#include "lib/io/safetensors.h"
#include "tests/checkpoint_values.h"
#include "tests/folder.h"
#include "tests/tap.h"

#define FOLDER "tests/golden/checkpoints/"

/* --- hostile headers --- */

static unsigned char file[1 << 16];

/* A file of that header and so many bytes of data; returns its size. */
static size_t make(const char *header, size_t data)
{
	uint64_t n = strlen(header);

	memcpy(file, &n, 8);
	memcpy(file + 8, header, n);
	memset(file + 8 + n, 0x3c, data);
	return 8 + n + data;
}

/* Parses a copy of exact size, so that a sanitizer sees a byte read beyond it. */
static int parse(size_t size, struct tensor_views *list)
{
	unsigned char *copy = malloc(size ? size : 1);
	int status;

	memcpy(copy, file, size);
	memset(list, 0, sizeof(*list));
	status = safetensors_parse(list, copy, size);
	for (int i = 0; i < list->count && !status; i++)
		list->items[i].data = NULL;
	free(copy);
	return status;
}

static void refused(const char *header, size_t data, const char *why)
{
	struct tensor_views list;
	int status = parse(make(header, data), &list);

	if (!ok(status == STATUS_DATA, "refused: %s", why) || getenv("VERBOSE"))
		diag("status %d, %s", status, status ? error_message() : "taken");
	views_release(&list);
}

static void taken(const char *header, size_t data, int count, const char *what)
{
	struct tensor_views list;
	int status = parse(make(header, data), &list);

	if (!ok(!status && list.count == count, "taken: %s", what))
		diag("status %d, %s", status, status ? error_message() : "wrong count");
	views_release(&list);
}

#define T(name, type, shape, offsets)                                                              \
	"\"" name "\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define A T("a", "F32", "[2]", "[0,8]")

static void test_layout(void)
{
	struct tensor_views list;
	uint64_t n;

	taken("{" A "}", 8, 1, "one tensor");
	taken("{" A "}      ", 8, 1, "padding with spaces");
	taken("{}", 0, 0, "no tensor");
	taken("{" T("b", "F16", "[2]", "[8,12]") "," A "}", 12, 2, "header in another order");
	taken("{" T("z", "F32", "[0,4]", "[8,8]") "," A "}", 8, 2, "an empty tensor at a boundary");
	taken("{" T("s", "F64", "[]", "[0,8]") "}", 8, 1, "a scalar");
	taken("{" T("q", "F4", "[4]", "[0,2]") "}", 2, 1, "four halves of a byte");
	taken("{\"__metadata__\":{\"k\":\"v\"}," A "}", 8, 1, "metadata");
	taken("{" T("a", "U8", "[1]", "[0,1]") "," T("b", "F32", "[1]", "[1,5]") "}", 5, 2,
		"an offset that is not aligned");

	for (size_t size = 0; size < 10; size++)
		make("{}", 0), ok(size == 10 || parse(size, &list) == STATUS_DATA,
				       "refused: %zu bytes", size);
	make("{" A "}", 8);
	n = UINT64_MAX;
	memcpy(file, &n, 8);
	ok(parse(100, &list) == STATUS_DATA, "refused: a header of 2^64 - 1 bytes");
	n = 200000000;
	memcpy(file, &n, 8);
	ok(parse(100, &list) == STATUS_DATA, "refused: a header longer than the format allows");
	n = 93;
	memcpy(file, &n, 8);
	ok(parse(100, &list) == STATUS_DATA, "refused: a header one byte longer than the file");
	n = 1;
	memcpy(file, &n, 8);
	ok(parse(100, &list) == STATUS_DATA, "refused: a header of one byte");
}

static void test_json(void)
{
	char deep[64], name[1100];

	refused(" {" A "}", 8, "a space before the brace");
	refused("[]", 0, "a list");
	refused("{" A "}\n", 8, "a line end after the object");
	refused("{" A "}{}", 8, "a second object");
	refused("{" A, 8, "an object without an end");
	refused("{" A "," A "}", 8, "a name twice");
	refused("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"
		"}",
		8, "a member twice");
	refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}", 8,
		"an unknown member");
	refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "a missing member");
	refused("{\"a\":3}", 0, "a tensor that is a number");
	refused("{\"\xff\":{}}", 0, "a name that is not UTF-8");
	refused("{" T("a\\u0000b", "F32", "[2]", "[0,8]") "}", 8, "a NUL in a name");
	refused("{" T("a\\u0007", "F32", "[2]", "[0,8]") "}", 8, "a control byte in a name");
	refused("{" T("", "F32", "[2]", "[0,8]") "}", 8, "an empty name");
	refused("{" T("\\ud800", "F32", "[2]", "[0,8]") "}", 8, "half a surrogate");
	refused("{\"__metadata__\":{\"k\":1}}", 0, "metadata that is no text");
	refused("{\"__metadata__\":3}", 0, "metadata that is no object");
	snprintf(deep, sizeof(deep), "{\"a\":[[[[[[]]]]]]}");
	refused(deep, 0, "deep nesting");
	memset(name, 'n', sizeof(name));
	memcpy(name, "{\"", 2);
	strcpy(name + 2 + 1025, "\":{}}");
	refused(name, 0, "a name of 1025 bytes");
}

static void test_numbers(void)
{
	refused("{" T("a", "F32", "[-2]", "[0,8]") "}", 8, "a negative size");
	refused("{" T("a", "F32", "[2.0]", "[0,8]") "}", 8, "a size with a fraction");
	refused("{" T("a", "F32", "[2e0]", "[0,8]") "}", 8, "a size with an exponent");
	refused("{" T("a", "F32", "[02]", "[0,8]") "}", 8, "a leading zero");
	refused("{" T("a", "F32", "[-0]", "[0,0]") "}", 0, "minus zero");
	refused("{" T("a", "F32", "[true]", "[0,8]") "}", 8, "a size that is true");
	refused("{" T("a", "F32", "2", "[0,8]") "}", 8, "a shape that is no list");
	refused("{" T("a", "F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]") "}", 8, "nine axes");
	refused("{" T("a", "F32", "[9007199254740993]", "[0,8]") "}", 8, "a size above 2^53");
	refused("{" T("a", "F32", "[99999999999999999999]", "[0,8]") "}", 8, "a size above 2^64");
	refused("{" T("a", "F32", "[4294967296,4294967296,2]", "[0,8]") "}", 8,
		"sizes whose product overflows to 0");
	refused("{" T("z", "F32", "[4294967296,2147483648,0,2]", "[0,0]") "," A "}", 8,
		"sizes that overflow beside a 0");
	refused("{" T("a", "F64", "[5,107367629,536903681]", "[0,8]") "}", 8,
		"bits that overflow to 64");
	refused("{" T("a", "F4", "[3]", "[0,2]") "}", 2, "a size that ends inside a byte");
	refused("{" T("a", "F33", "[2]", "[0,8]") "}", 8, "an unknown type");
	refused("{" T("a", "f32", "[2]", "[0,8]") "}", 8, "a type in small letters");
}

static void test_spans(void)
{
	refused("{" T("a", "F32", "[2]", "[0,4]") "}", 8, "a span too short for its shape");
	refused("{" T("a", "F32", "[2]", "[8,0]") "}", 8, "a span that ends before it begins");
	refused("{" T("a", "F32", "[2]", "[0,8,8]") "}", 8, "three offsets");
	refused("{" T("a", "F32", "[2]", "[4,12]") "}", 12, "a hole at the start");
	refused("{" A "," T("b", "F32", "[1]", "[12,16]") "}", 16, "a hole between");
	refused("{" A "," T("b", "F32", "[1]", "[4,8]") "}", 8, "an overlap");
	refused("{" A "," T("b", "F32", "[2]", "[0,8]") "}", 8, "the same span twice");
	refused("{" A "}", 9, "a byte after the last tensor");
	refused("{" A "}", 7, "the last byte missing");
	refused("{}", 4, "data that belongs to no tensor");
	refused("{" T("z", "F32", "[0]", "[4,4]") "," A "}", 8, "an empty tensor inside another");
}

/* --- a file of the reference writer --- */

static void test_reference(void)
{
	struct checkpoint *c;
	int status = checkpoint_open(&c, FOLDER "types.safetensors", NULL);
	const struct tensor_view *v;

	if (!ok(!status, "a file of the reference writer opens")) {
		diag("%s", error_message());
		return;
	}
	ok(!strcmp(checkpoint_format(c), "safetensors"), "its format is found");
	check_values(c);
	v = checkpoint_find(c, "short");
	ok(v && v->type == NUMBER_I16, "a type that is not read is listed");
	float x[2];
	ok(v && checkpoint_float(c, v, x) == STATUS_DATA && strstr(error_message(), "'short'") &&
			strstr(error_message(), "I16"),
		"reading it names tensor and type");
	checkpoint_close(&c);
}

/* --- shards --- */

static int index_status(const char *text)
{
	struct shard_index index;
	int status = shard_index_parse(&index, (const unsigned char *)text, strlen(text));

	if (!status)
		shard_index_release(&index);
	return status;
}

static void put(const char *name, const void *data, size_t size)
{
	FILE *f = fopen(in_folder(name), "wb");

	fwrite(data, 1, size, f);
	fclose(f);
}

static void put_text(const char *name, const char *text)
{
	put(name, text, strlen(text));
}

static int open_status(const char *name)
{
	struct checkpoint *c;
	int status = checkpoint_open(&c, in_folder(name), NULL);

	checkpoint_close(&c);
	return status;
}

static void test_shards(void)
{
	static const char *const bad[] = {"../a", "/etc/x", "a/b", "a\\\\b", ".a", "a..b", ""};
	struct checkpoint *c;
	char text[256];

	if (!ok(!checkpoint_open(&c, FOLDER "sharded.safetensors.index.json", NULL),
		    "an index of two shards opens")) {
		diag("%s", error_message());
		return;
	}
	ok(checkpoint_count(c) == 6 && !strcmp(checkpoint_format(c), "safetensors shards") &&
			!checkpoint_note(c, 0),
		"it holds the tensors of both");
	check_one(c, "transposed");
	check_one(c, "bf16");
	checkpoint_close(&c);

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(text, sizeof(text), "{\"weight_map\":{\"a\":\"%s\"}}", bad[i]);
		ok(index_status(text) == STATUS_DATA, "refused: a shard called '%s'", bad[i]);
	}
	ok(!index_status(" {\"weight_map\":{\"a\":\"s\"}}\n"), "spaces around an index are taken");
	ok(index_status("{\"weight_map\":{}}") == STATUS_DATA, "refused: an empty map");
	ok(index_status("{\"weight_map\":{\"a\":\"s\",\"a\":\"s\"}}") == STATUS_DATA,
		"refused: a tensor mapped twice");
	ok(index_status("{\"weight_map\":{\"a\":1}}") == STATUS_DATA, "refused: a file that is 1");
	ok(index_status("{\"weight_map\":{\"a\":\"s\"}} x") == STATUS_DATA,
		"refused: something after the index");

	put("s1", file, make("{" A "}", 8));
	put_text("i1", "{\"weight_map\":{\"b\":\"s1\"}}");
	ok(open_status("i1") == STATUS_DATA && strstr(error_message(), "'b' is missing"),
		"refused: a mapped tensor that its shard lacks");
	put("s2", file, make("{" A "," T("b", "F32", "[1]", "[8,12]") "}", 12));
	put_text("i2", "{\"weight_map\":{\"a\":\"s2\"}}");
	ok(open_status("i2") == STATUS_DATA && strstr(error_message(), "does not expect"),
		"refused: a tensor that the index does not map");
	put_text("i3", "{\"weight_map\":{\"a\":\"s9\"}}");
	ok(open_status("i3") == STATUS_NOINPUT, "a shard that is not there: 66");
	put_text("i4", "{\"metadata\":{\"total_size\":9},\"weight_map\":{\"a\":\"s1\"}}");
	ok(!checkpoint_open(&c, in_folder("i4"), NULL) && checkpoint_note(c, 0) &&
			strstr(checkpoint_note(c, 0), "9 bytes"),
		"a wrong total is noted");
	checkpoint_close(&c);
}

static void test_paths(void)
{
	struct checkpoint *c;

	ok(open_status("nothing") == STATUS_NOINPUT, "no such file: 66");
	ok(checkpoint_open(&c, test_folder(), NULL) == STATUS_DATA, "a folder: 65");
	ok(checkpoint_open(&c, "/dev/null", NULL) == STATUS_DATA, "a device: 65");
	put("empty", "", 0);
	ok(open_status("empty") == STATUS_DATA, "an empty file: 65");
	put("hdf5", "\x89HDF\r\n\x1a\n        ", 16);
	ok(open_status("hdf5") == STATUS_DATA && strstr(error_message(), "HDF5"), "HDF5 is named");
	put("s", file, make("{" A "}", 8));
	ok(checkpoint_open(&c, in_folder("s"), "model") == STATUS_DATA,
		"a key for a safetensors file: 65");
}

/* --- numbers --- */

static void test_halves(void)
{
	float x = -0x1.8p-24f;
	uint32_t bits;
	int good = 1;

	for (uint32_t h = 0; h < 65536; h++) {
		int e = h >> 10 & 31;
		float f = half_to_float((uint16_t)h);
		double want = e ? ldexp(1 + (h & 1023) / 1024.0, e - 15) : ldexp(h & 1023, -24);

		if (e == 31)
			good &= h & 1023 ? isnan(f) : isinf(f) && (f < 0) == (h >> 15);
		else
			good &= f == (h >> 15 ? -want : want) && !signbit(f) == !(h >> 15);
	}
	ok(good, "every half is the float it stands for");
	good = 1;
	for (uint32_t h = 0; h < 65536; h++) {
		x = bf16_to_float((uint16_t)h);
		good &= isnan(x) ? isnan(bf16_to_float(float_to_bf16(x))) : float_to_bf16(x) == h;
	}
	ok(good, "every bfloat16 survives the way through float");
	ok(float_to_bf16(1 + 0x1p-8f) == 0x3f80 && float_to_bf16(1 + 0x3p-8f) == 0x3f82 &&
			float_to_bf16(1 + 0x1.02p-8f) == 0x3f81 && float_to_bf16(3.4e38f) == 0x7f80,
		"float to bfloat16 rounds to nearest, ties to even, and up to infinity");
	bits = 0x7f800001;
	memcpy(&x, &bits, 4);
	ok(float_to_bf16(x) == 0x7fc0, "a NaN of low bits stays one");
}

/* --- writer --- */

static void test_writer(void)
{
	struct safetensors_item items[] = {
		{"z", NUMBER_F32, 2, {2, 1}},
		{"b", NUMBER_BF16, 1, {3}},
		{"long", NUMBER_I64, 0},
		{"a", NUMBER_F32, 1, {1}},
		{"none", NUMBER_F32, 1, {0}},
	};
	static const char *const metadata[] = {"format", "pt", "config", "{\"a\":\"\\\"\"}", NULL};
	const char data[32] = "0123456789abcdefghijklmnopqrstu";
	struct safetensors_writer *w;
	struct checkpoint *c;
	const struct tensor_view *v;
	char buffer[32];
	int status = safetensors_create(&w, in_folder("out"), items, 5, metadata);

	ok(!status && !strcmp(items[0].name, "long") && !strcmp(items[1].name, "a") &&
			!strcmp(items[2].name, "none") && !strcmp(items[3].name, "z") &&
			!strcmp(items[4].name, "b"),
		"the writer orders by width, then name");
	ok(access(in_folder("out"), F_OK) != 0, "nothing is there before the commit");
	for (int i = 0; i < 5 && !status; i++)
		status = safetensors_write(w, data + items[i].offset, items[i].bytes);
	ok(!status && !safetensors_commit(&w), "written");
	ok(!checkpoint_open(&c, in_folder("out"), NULL) && checkpoint_count(c) == 5, "read again");
	v = checkpoint_find(c, "b");
	ok(v && v->type == NUMBER_BF16 && v->shape[0] == 3 && !checkpoint_raw(c, v, buffer) &&
			!memcmp(buffer, data + 20, 6),
		"its bytes are those written");
	checkpoint_close(&c);
	ok(safetensors_create(&w, in_folder("no/out"), items, 5, NULL) == STATUS_CANTCREATE,
		"a folder that is not there: 73");
	status = safetensors_create(&w, "/dev/full", items + 4, 1, NULL);
	if (!status)
		status = safetensors_write(w, data, 6);
	ok(!status && safetensors_commit(&w) == STATUS_IO, "a full device: 74");
	status = safetensors_create(&w, in_folder("half"), items, 5, NULL);
	ok(!status && safetensors_write(w, data, 3) == STATUS_BUG,
		"bytes of another size: refused");
	safetensors_abort(&w);
	ok(access(in_folder("half"), F_OK) != 0, "an abandoned file leaves nothing");
}

int main(void)
{
	test_layout();
	test_json();
	test_numbers();
	test_spans();
	test_reference();
	test_shards();
	test_paths();
	test_halves();
	test_writer();
	ok(!remove_folder(test_folder()), "the folder is removed");
	return done();
}
