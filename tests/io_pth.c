/* .pth: files of torch.save in both forms, and hand-made ones that break a rule each. */
#include <unistd.h>
#include "lib/base/error.h"
#include "lib/io/checkpoint.h"
#include "lib/io/pth.h"
#include "tests/checkpoint_values.h"
#include "tests/pth_made.h"
#include "tests/tap.h"

#define FOLDER "tests/golden/checkpoints/"

/* --- parsing --- */

static float first[6];
static int found_count, found_foreign;
static char last_name[64];

/* Parses a copy of exact size, and reads every element of what it found. */
static int parse(const void *data, size_t size)
{
	unsigned char *copy = malloc(size ? size : 1);
	struct tensor_views list = {0};
	struct pth_found found;
	float sum = 0;
	int status;

	memcpy(copy, data, size);
	status = pth_parse(&list, &found, copy, size, NULL);
	if (!status)
		status = views_sort(&list);
	found_count = list.count;
	found_foreign = found.foreign;
	for (int i = 0; i < list.count && !status; i++) {
		const struct tensor_view *v = &list.items[i];
		int64_t index = 0;

		for (int d = 0; d < v->dims; d++)
			index += v->count ? (v->shape[d] - 1) * v->stride[d] : 0;
		for (int k = 0; k < number_bits(v->type) / 8 && v->count; k++)
			sum += v->data[k] + v->data[index * (number_bits(v->type) / 8) + k];
		snprintf(last_name, sizeof(last_name), "%.60s", v->name);
		if (v->packed && v->count == 6)
			memcpy(first, v->data, sizeof(first));
	}
	views_release(&list);
	free(copy);
	return isnan(sum) ? 1 : status;
}

static const float numbers[6] = {1, -2, 3, -4, 5.5, 6};

/* {name: tensor} in a zip with one storage. */
static int zip_status(const struct described *d)
{
	static struct zip_made z;
	static struct bytes b;

	memset(&z, 0, sizeof(z));
	b.size = 0;
	put_text(&b, "\x80\2}");
	pickle_tensor(&b, d);
	put_text(&b, "s.");
	zip_add(&z, "x/data.pkl", b.at, b.size, NULL);
	zip_add(&z, "x/data/0", numbers, sizeof(numbers), NULL);
	zip_end(&z, 0, z.count);
	return parse(z.file.at, z.file.size);
}

static void refused(int status, const char *why)
{
	if (!ok(status == STATUS_DATA, "refused: %s", why) || getenv("VERBOSE"))
		diag("status %d, %s", status, status ? error_message() : "taken");
}

/* A pickle alone, in a zip without storages. */
static int pickle_status(const void *data, size_t size)
{
	static struct zip_made z;

	memset(&z, 0, sizeof(z));
	zip_add(&z, "x/data.pkl", data, size, NULL);
	zip_end(&z, 0, z.count);
	return parse(z.file.at, z.file.size);
}
#define PICKLE(text) pickle_status(text, sizeof(text) - 1)

/* --- cases --- */

static void test_files(void)
{
	static const char *const files[] = {"training.pth", "training-legacy.pth", "flat.pth"};
	static const char *const formats[] = {"pth", "pth (legacy)", "pth"};
	struct checkpoint *c;
	char path[128];

	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), FOLDER "%s", files[i]);
		if (!ok(!checkpoint_open(&c, path, NULL), "%s opens", files[i])) {
			diag("%s", error_message());
			continue;
		}
		ok(!strcmp(checkpoint_format(c), formats[i]), "as %s", formats[i]);
		check_values(c);
		ok(checkpoint_note(c, 0) &&
				strstr(checkpoint_note(c, 0), i < 2 ? "model" : "module."),
			"what was chosen is noted");
		checkpoint_close(&c);
	}
	refused(checkpoint_open(&c, FOLDER "odd-key.pth", NULL), "a dict under an unusual key");
	ok(!checkpoint_open(&c, FOLDER "odd-key.pth", "weights") && checkpoint_count(c) == 1,
		"taken when the key is named");
	checkpoint_close(&c);
	refused(checkpoint_open(&c, FOLDER "odd-key.pth", "other"), "a key that holds no dict");
	refused(checkpoint_open(&c, FOLDER "tensor.pth", NULL), "a tensor alone");
	refused(checkpoint_open(&c, FOLDER "protocol4.pth", NULL), "protocol 4");
	ok(strstr(error_message(), "torch.save") != NULL, "and says how to save it instead");
}

static void test_tensors(void)
{
	struct described d = good;

	ok(!zip_status(&d) && found_count == 1 && !memcmp(first, numbers, sizeof(first)),
		"a hand-made file is read");
	d.offset = 1;
	refused(zip_status(&d), "an offset that pushes the last element out");
	d.offset = -1;
	refused(zip_status(&d), "a negative offset");
	d.offset = INT64_MAX;
	refused(zip_status(&d), "an offset of 2^63 - 1");
	d = good, d.stride[0] = 4;
	refused(zip_status(&d), "a stride that reaches beyond the storage");
	d = good, d.stride[1] = -1;
	refused(zip_status(&d), "a negative stride");
	d = good, d.stride[0] = INT64_MAX;
	refused(zip_status(&d), "a stride that overflows");
	d = good, d.size[0] = 3;
	refused(zip_status(&d), "a size that is too large");
	d = good, d.size[0] = -2;
	refused(zip_status(&d), "a negative size");
	d = good, d.size[0] = (int64_t)1 << 62, d.stride[0] = d.stride[1] = 0;
	refused(zip_status(&d), "a size that overflows");
	d = good, d.size[0] = 1 << 20, d.stride[0] = 0;
	refused(zip_status(&d), "a stride of 0 that makes much of little");
	d = good, d.dims = d.strides = 9;
	for (int i = 0; i < 9; i++)
		d.size[i] = d.stride[i] = 1;
	refused(zip_status(&d), "nine axes");
	d = good, d.strides = 1;
	refused(zip_status(&d), "fewer strides than sizes");
	d = good, d.numel = 5, d.size[0] = 1;
	refused(zip_status(&d), "a storage larger than stated");
	d = good, d.numel = 7;
	refused(zip_status(&d), "a storage smaller than stated");
	d = good, d.numel = (int64_t)1 << 62;
	refused(zip_status(&d), "a storage whose bytes overflow to 0");
	d = good, d.numel = -6;
	refused(zip_status(&d), "a storage of a negative size");
	d = good, d.key = "1";
	refused(zip_status(&d), "a storage that is missing");
	d = good, d.key = "../data/0";
	refused(zip_status(&d), "a storage elsewhere");
	d = good, d.type = "torch\nQInt8Storage";
	refused(zip_status(&d), "a storage of unknown type");
	d = good, d.type = "os\nsystem";
	refused(zip_status(&d), "a storage whose type is a function");
	d = good, d.name = "a\n";
	refused(zip_status(&d), "a name with a line end");
	d = good, d.name = "\xc3(";
	refused(zip_status(&d), "a name that is not UTF-8");
	d = good, d.dims = d.strides = 1, d.size[0] = 1, d.stride[0] = INT64_MAX;
	ok(!zip_status(&d), "taken: any stride of an axis of one");
	d = good, d.size[0] = 0;
	ok(!zip_status(&d), "taken: no elements");
}

static void test_twice(void)
{
	static struct bytes b;

	put_text(&b, "\x80\2}(");
	pickle_tensor(&b, &good);
	pickle_tensor(&b, &good);
	put_text(&b, "u.");
	static struct zip_made z;
	zip_add(&z, "x/data.pkl", b.at, b.size, NULL);
	zip_add(&z, "x/data/0", numbers, sizeof(numbers), NULL);
	zip_end(&z, 0, z.count);
	refused(parse(z.file.at, z.file.size), "a name twice");
}

static void test_opcodes(void)
{
	static struct bytes b;

	refused(PICKLE("\x80\2I1\n."), "an opcode that is not known");
	ok(strstr(error_message(), "0x49 at byte 2") != NULL, "opcode and place are named");
	refused(PICKLE("\x80\2}\x93."), "STACK_GLOBAL");
	refused(PICKLE("\x80\2h\1."), "a memo never put");
	refused(PICKLE("\x80\2}r\xff\xff\xff\xff."), "a memo's number of 2^32 - 1");
	refused(PICKLE("\x80\2."), "nothing on the stack");
	refused(PICKLE("\x80\2}}."), "two values left");
	refused(PICKLE("\x80\2(."), "a mark alone");
	refused(PICKLE("\x80\2}(}\x86."), "a tuple across a mark");
	refused(PICKLE("\x80\2t."), "a tuple without a mark");
	refused(PICKLE("\x80\2K\1K\2K\3s."), "an item for a number");
	refused(PICKLE("\x80\2}(K\1u."), "a key without a value");
	refused(PICKLE("\x80\2(K\1K\1u."), "items for nothing");
	refused(PICKLE("\x80\2}K\1a."), "an element for a dict");
	refused(PICKLE("\x80\2K\1)R."), "a call of a number");
	refused(PICKLE("\x80\2cos\nsystem\nK\1R."), "arguments that are no tuple");
	refused(PICKLE("\x80\2K\1}b."), "a state for a number");
	refused(PICKLE("\x80\2}Q."), "a persistent id that is a dict");
	refused(PICKLE("\x80\2cos\nsystem"), "a global without an end");
	refused(PICKLE("\x80\2X\xff\xff\xff\xff."), "a text of 2^32 - 1 bytes");
	refused(PICKLE("\x80\2X\0\0\1\0 ."), "a text of 64 KiB");
	refused(PICKLE("\x80\2\x8a\xff."), "a long number that is cut short");
	b.size = 0;
	put_text(&b, "\x80\2");
	for (int i = 0; i < 100001; i++)
		put_text(&b, "(");
	refused(pickle_status(b.at, b.size), "a stack of 100001");
}

static void test_inert(void)
{
	static const char call[] =
		"\x80\2}(X\1\0\0\0xcos\nsystem\n(X\24\0\0\0touch io_pth_was_runtR"
		"X\5\0\0\0modelcbuiltins\neval\n)\x81}bX\1\0\0\0ycargparse\n"
		"Namespace\n)\x81}X\2\0\0\0lrK\1sbu.";
	static struct bytes b;

	refused(pickle_status(call, sizeof(call) - 1), "calls where tensors should be");
	ok(access("io_pth_was_run", F_OK) != 0, "and nothing ran");
	b.size = 0;
	put_text(&b, "\x80\2}(");
	put(&b, call + 4, sizeof(call) - 1 - 6);
	pickle_tensor(&b, &good);
	put_text(&b, "u.");
	static struct zip_made z;
	zip_add(&z, "x/data.pkl", b.at, b.size, NULL);
	zip_add(&z, "x/data/0", numbers, sizeof(numbers), NULL);
	zip_end(&z, 0, z.count);
	ok(!parse(z.file.at, z.file.size) && found_count == 1 && found_foreign == 3,
		"objects beside a tensor are passed over");
}

static void make_zip(struct zip_made *z, const struct twist *pickle, const struct twist *storage)
{
	static struct bytes b;

	memset(z, 0, sizeof(*z));
	b.size = 0;
	put_text(&b, "\x80\2}");
	pickle_tensor(&b, &good);
	put_text(&b, "s.");
	zip_add(z, "x/data/0", numbers, sizeof(numbers), storage);
	zip_add(z, "x/data.pkl", b.at, b.size, pickle);
}

static int twisted(const struct twist *pickle, const struct twist *storage)
{
	static struct zip_made z;

	make_zip(&z, pickle, storage);
	zip_end(&z, 0, z.count);
	return parse(z.file.at, z.file.size);
}

static void test_zip(void)
{
	static struct zip_made z;

	ok(!twisted(NULL, &(struct twist){.flags = 0x808}),
		"taken: data descriptor and UTF-8 flags");
	refused(twisted(NULL, &(struct twist){.method = 8}), "a compressed storage");
	refused(twisted(&(struct twist){.method = 8}, NULL), "a compressed pickle");
	refused(twisted(NULL, &(struct twist){.flags = 1}), "an encrypted storage");
	refused(twisted(NULL, &(struct twist){.crc = 1}), "a storage with a wrong checksum");
	refused(twisted(&(struct twist){.crc = 1}, NULL), "a pickle with a wrong checksum");
	refused(twisted(NULL, &(struct twist){.longer = 1 << 20}), "a member beyond the file");
	refused(twisted(NULL, &(struct twist){.longer = 200}), "members that overlap");
	refused(twisted(NULL, &(struct twist){.local = 1}), "a local header elsewhere");
	refused(twisted(NULL, &(struct twist){.local = -1}), "a local header of 2^32 - 1");
	refused(twisted(NULL, &(struct twist){.local_name = "x/data/1"}), "two names of a member");
	ok(!twisted(NULL, &(struct twist){.zip64 = 1}), "taken: zip64 sizes of a member");
	make_zip(&z, NULL, NULL);
	zip_end(&z, 1, z.count);
	ok(!parse(z.file.at, z.file.size), "taken: a zip64 directory");
	z.file.at[z.file.size - 22 - 4 - 8] ^= 1;
	refused(parse(z.file.at, z.file.size), "a zip64 end that is elsewhere");
	make_zip(&z, NULL, NULL);
	zip_end(&z, 0, z.count + 1);
	refused(parse(z.file.at, z.file.size), "more members counted than there are");
	make_zip(&z, NULL, NULL);
	zip_end(&z, 0, z.count - 1);
	refused(parse(z.file.at, z.file.size), "fewer members counted than there are");
	make_zip(&z, NULL, NULL);
	zip_add(&z, "x/data/0", numbers, sizeof(numbers), NULL);
	zip_end(&z, 0, z.count);
	refused(parse(z.file.at, z.file.size), "a member twice");
	make_zip(&z, NULL, NULL);
	zip_add(&z, "y/data.pkl", "\x80\2}.", 4, NULL);
	zip_end(&z, 0, z.count);
	refused(parse(z.file.at, z.file.size), "two pickles");
	make_zip(&z, NULL, NULL);
	zip_add(&z, "x/byteorder", "big\0\0\0", 6, NULL);
	zip_end(&z, 0, z.count);
	refused(parse(z.file.at, z.file.size), "big-endian numbers");
	memset(&z, 0, sizeof(z));
	zip_add(&z, "a/b.txt", "hello", 5, NULL);
	zip_end(&z, 0, z.count);
	refused(parse(z.file.at, z.file.size), "a zip of something else");
}

/* --- legacy --- */

#define MAGIC "\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19."

struct legacy {
	int protocol, big, extra, numel, keys;
};

static int legacy_status(const struct described *d, const struct legacy *l)
{
	static struct bytes b;

	b.size = 0;
	put(&b, MAGIC, 15);
	put_text(&b, "\x80\2M");
	put_number(&b, 1001 + l->protocol, 2);
	put_text(&b, ".\x80\2}");
	pickle_text(&b, "little_endian");
	put_text(&b, l->big ? "\x89s.\x80\2}" : "\x88s.\x80\2}");
	pickle_tensor(&b, d);
	put_text(&b, "s.\x80\2](");
	for (int i = 0; i < 1 + l->keys; i++)
		pickle_text(&b, "0");
	put_text(&b, "e.");
	for (int i = 0; i < 1 + l->keys; i++) {
		put_number(&b, 6 + l->numel, 8);
		put(&b, numbers, sizeof(numbers));
	}
	b.size += l->extra;
	return parse(b.at, b.size);
}

static void test_legacy(void)
{
	struct described d = good;

	d.legacy = 1;
	ok(!legacy_status(&d, &(struct legacy){0}) && found_count == 1 &&
			!memcmp(first, numbers, sizeof(first)),
		"a hand-made legacy file is read");
	refused(legacy_status(&d, &(struct legacy){.protocol = 1}), "legacy protocol 1002");
	refused(legacy_status(&d, &(struct legacy){.big = 1}), "legacy big-endian");
	refused(legacy_status(&d, &(struct legacy){.extra = 1}), "a byte after the last storage");
	refused(legacy_status(&d, &(struct legacy){.extra = -1}), "the last byte missing");
	refused(legacy_status(&d, &(struct legacy){.numel = 1}), "a storage of another size");
	refused(legacy_status(&d, &(struct legacy){.keys = 1}), "a storage twice");
	refused(legacy_status(&d, &(struct legacy){.keys = -1}), "a storage that is not listed");
	d.key = "1";
	refused(legacy_status(&d, &(struct legacy){0}), "a storage of another key");
	d = good, d.legacy = 1, d.view[0] = 2, d.view[1] = 4, d.size[0] = 1;
	ok(!legacy_status(&d, &(struct legacy){0}), "a view of a storage is read");
	d.size[0] = 2;
	refused(legacy_status(&d, &(struct legacy){0}), "a tensor larger than its view");
	d.size[0] = 1, d.view[1] = 5;
	refused(legacy_status(&d, &(struct legacy){0}), "a view larger than its storage");
	d.view[0] = -1;
	refused(legacy_status(&d, &(struct legacy){0}), "a view that begins before its storage");
}

/* --- whole files, damaged --- */

static size_t read_file(const char *path, struct bytes *b)
{
	FILE *f = fopen(path, "rb");

	b->size = f ? fread(b->at, 1, sizeof(b->at), f) : 0;
	if (f)
		fclose(f);
	return b->size;
}

static void test_damage(const char *path)
{
	static struct bytes b;
	int prefixes = 1, statuses = 1;

	if (!ok(read_file(path, &b) > 0, "%s is there", path))
		return;
	for (size_t n = 0; n < b.size; n++)
		prefixes &= parse(b.at, n) == STATUS_DATA;
	ok(prefixes, "every shorter piece of it is refused");
	for (size_t i = 0; i < b.size; i++) {
		for (int bit = 0; bit < 8; bit += 7) {
			int status;

			b.at[i] ^= 1 << bit;
			status = parse(b.at, b.size);
			statuses &= !status || status == STATUS_DATA;
			b.at[i] ^= 1 << bit;
		}
	}
	ok(statuses, "with any bit turned it is read or refused");
}

int main(void)
{
	test_files();
	test_tensors();
	test_twice();
	test_opcodes();
	test_inert();
	test_zip();
	test_legacy();
	test_damage(FOLDER "training.pth");
	test_damage(FOLDER "training-legacy.pth");
	return done();
}
