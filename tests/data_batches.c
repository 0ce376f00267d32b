/*
 * Batches: the same bytes for any number of workers, any starting point, cached or not; the order
 * of an epoch; evaluation's end; files that contradict themselves.
 */
#include <unistd.h>
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/data/batches.h"
#include "tests/pictures.h"
#include "tests/tap.h"

#define COUNT 53
#define SIDE 24

static char folder[] = "/tmp/data_batches.XXXXXX";

static char *path_of(const char *name)
{
	return memory_format("%s/%s", folder, name);
}

/* A file of COUNT pictures of 3 classes; spoil makes one thing wrong. */
enum spoil { WHOLE, LABEL_HIGH, LABELS_SHORT, FOUR_CHANNELS, NO_IMAGES, OTHER_KIND };

static void make_pixels(const char *path, enum spoil spoil)
{
	static const char *const names[] = {"a", "b", "c"};
	int64_t channels = spoil == FOUR_CHANNELS ? 4 : 3;
	int64_t shape[4] = {COUNT, SIDE, SIDE, channels}, n = COUNT - (spoil == LABELS_SHORT);
	uint8_t *pixels = memory_new(COUNT, SIDE * SIDE * 4);
	int32_t labels[COUNT];
	struct h5 *f;
	int status = h5_create(&f, path, spoil == OTHER_KIND ? "features" : "images");

	for (int i = 0; i < COUNT; i++) {
		picture_fill(PICTURE_NOISE, pixels + i * SIDE * SIDE * channels, SIDE, SIDE);
		pixels[i * SIDE * SIDE * channels] = (uint8_t)i;
		labels[i] = spoil == LABEL_HIGH ? i % 4 : i % 3;
	}
	if (spoil != NO_IMAGES)
		status |= h5_put(f, "pixels", H5_U8, 4, shape, pixels);
	status |= h5_put(f, "labels", H5_I32, 1, &n, labels);
	status |= h5_put_strings(f, "class_names", 3, names);
	status |= h5_commit(&f);
	if (status)
		printf("Bail out! cannot write %s: %s\n", path, error_message());
	free(pixels);
}

/* The test's images, `copies` of each; the last one is cut when `cut`. No labels. */
static void make_encoded(const char *path, int copies, int cut, int backwards)
{
	static const char *const files[] = {"420.jpg", "grey.jpg", "rgb.png", "progressive.jpg"};
	static uint8_t bytes[65536];
	uint64_t offset[64] = {0};
	int64_t count = 4 * copies, total, offsets = count + 1;
	struct h5 *f;

	for (int i = 0; i < count; i++) {
		char *name = memory_format("tests/golden/images/%s", files[i % 4]);
		FILE *in = fopen(name, "rb");

		offset[i + 1] = offset[i] + fread(bytes + offset[i], 1, 4096, in);
		fclose(in);
		free(name);
	}
	if (cut)
		offset[count] -= 40;
	total = (int64_t)offset[count];
	if (backwards)
		offset[2] = offset[3] + 1;
	h5_create(&f, path, "images");
	h5_put(f, "encoded", H5_U8, 1, &total, bytes);
	h5_put(f, "offset", H5_U64, 1, &offsets, offset);
	if (h5_commit(&f))
		printf("Bail out! cannot write %s\n", path);
}

static struct batches_settings tiny(int train, int64_t batch)
{
	struct batches_settings s = {
		.train = train, .shuffle = train, .batch = batch, .shards = 1, .seed = 11};

	augment_preset(&s.augment, "tiny", SIDE);
	return s;
}

static uint64_t batch_hash(const struct batch *b, int64_t size, int64_t shards)
{
	uint64_t h = picture_hash(b->pixels, (size_t)(b->count * size * size * 3));

	h = h * 31 + picture_hash((const uint8_t *)b->labels, (size_t)b->count * 4);
	h = h * 31 + picture_hash((const uint8_t *)b->index, (size_t)b->count * 8);
	h = h * 31 + picture_hash((const uint8_t *)b->erase, (size_t)b->count * 24);
	h = h * 31 + picture_hash((const uint8_t *)b->mix, (size_t)shards * 24);
	return h * 31 + (uint64_t)(b->epoch * 1000 + b->position);
}

/* Hashes of n batches from batch `from` on */
static int hashes(const char *path, size_t cache, struct batches_settings s, int64_t from, int n,
	uint64_t *out)
{
	struct dataset *d;
	struct batches *b;
	struct batch batch;
	int status = dataset_open(&d, path, cache);

	if (status)
		return status;
	status = batches_open(&b, d, &s);
	if (!status && from)
		status = batches_seek(b, from / batches_per_epoch(b), from % batches_per_epoch(b));
	for (int i = 0; i < n && !status; i++) {
		status = batches_next(b, &batch);
		if (!status)
			out[i] = batch_hash(&batch, s.augment.size, s.shards);
	}
	batches_close(b);
	dataset_close(d);
	return status;
}

#define LONG 15

static void check_same(const char *path, struct batches_settings s, const char *what)
{
	static const struct {
		int workers, ahead;
		size_t cache;
		int64_t from;
	} ways[] = {{1, 1, 1 << 30, 0}, {3, 0, 1 << 30, 0}, {2, 2, 0, 0}, {0, 0, 0, 3},
		{3, 7, 1 << 30, 6}, {1, 3, 0, 11}};
	uint64_t want[LONG], got[LONG];
	int wrong = hashes(path, 1 << 30, s, 0, LONG, want);

	for (int i = 1; i < LONG; i++)
		wrong += want[i] == want[i - 1];
	for (size_t k = 0; k < sizeof(ways) / sizeof(ways[0]); k++) {
		int n = LONG - (int)ways[k].from;

		s.workers = ways[k].workers;
		s.ahead = ways[k].ahead;
		wrong += hashes(path, ways[k].cache, s, ways[k].from, n, got) != 0;
		wrong += memcmp(got, want + ways[k].from, (size_t)n * sizeof(*got)) != 0;
	}
	if (!ok(wrong == 0, "%s: any workers, any start, cached or not", what))
		diag("%d wrong: %s", wrong, error_message());
}

/* Seeking to and fro within one run, while workers are busy */
static void check_seeks(const char *path)
{
	struct batches_settings s = tiny(1, 10);
	struct dataset *d;
	struct batches *b;
	uint64_t first[20];
	int wrong = 0;

	s.workers = 2;
	dataset_open(&d, path, 1 << 30);
	batches_open(&b, d, &s);
	for (int i = 0; i < 20; i++) {
		struct batch batch;

		wrong += batches_next(b, &batch) != 0;
		first[i] = batch_hash(&batch, SIDE, 1);
	}
	for (int i = 0; i < 40; i++) {
		int at = i * 7 % 20;
		struct batch batch;

		wrong += batches_seek(b, at / 5, at % 5) != 0;
		wrong += batches_next(b, &batch) != 0;
		wrong += batch_hash(&batch, SIDE, 1) != first[at] || batch.epoch != at / 5;
	}
	ok(wrong == 0, "seeking anywhere gives that batch");
	ok(batches_seek(b, 0, 6) == STATUS_USAGE && batches_seek(b, -1, 0) == STATUS_USAGE,
		"beyond the epoch is refused");
	batches_close(b);
	dataset_close(d);
}

static void check_order(const char *path)
{
	struct batches_settings s = tiny(1, 10);
	struct dataset *d;
	struct batches *b;
	int64_t order[2][50];
	int seen[2][COUNT] = {{0}}, twice = 0, same = 0, labels = 0, still = 0;

	dataset_open(&d, path, 1 << 30);
	batches_open(&b, d, &s);
	ok(batches_per_epoch(b) == 5, "the incomplete batch of training is dropped");
	for (int i = 0; i < 10; i++) {
		struct batch batch;

		batches_next(b, &batch);
		for (int k = 0; k < 10; k++) {
			int64_t sample = batch.index[k], at = batch.position + k;

			order[batch.epoch][at] = sample;
			twice += seen[batch.epoch][sample]++;
			labels += batch.labels[k] != sample % 3;
		}
	}
	for (int i = 0; i < 50; i++) {
		same += order[0][i] == order[1][i];
		still += order[0][i] == i;
	}
	ok(twice == 0 && labels == 0, "an epoch visits a sample once, with its label");
	ok(same < 10 && still < 10, "epochs have their own orders");
	batches_close(b);
	s.first = 7;
	s.limit = 20;
	batches_open(&b, d, &s);
	twice = 0;
	for (int i = 0; i < 4; i++) {
		struct batch batch;

		batches_next(b, &batch);
		for (int k = 0; k < 10; k++)
			twice += batch.index[k] < 7 || batch.index[k] >= 27;
	}
	ok(batches_per_epoch(b) == 2 && twice == 0, "first and limit choose a part");
	batches_close(b);
	dataset_close(d);
}

static void check_evaluation(const char *path)
{
	struct batches_settings s = tiny(0, 10);
	struct dataset *d;
	struct batches *b;
	struct batch batch;
	int64_t next = 0;
	int wrong = 0, status;

	s.workers = 2;
	s.augment.mixup = 0.8;
	dataset_open(&d, path, 0);
	batches_open(&b, d, &s);
	while (!(status = batches_next(b, &batch)))
		for (int64_t k = 0; k < batch.count; k++, next++) {
			wrong += batch.index[k] != next || batch.mix[0] != 0 ||
				 batch.erase[6 * k + 2] != 0 ||
				 batch.pixels[k * SIDE * SIDE * 3] != next;
		}
	ok(status == STATUS_NO && next == COUNT && batch.count == 3 && !wrong,
		"evaluation goes through the file as it is, the last batch short");
	ok(batches_next(b, &batch) == STATUS_NO, "and ends there");
	ok(!batches_seek(b, 0, 0) && !batches_next(b, &batch) && batch.position == 0,
		"and can start again");
	batches_close(b);
	dataset_close(d);
}

/* Three views of each sample: in different shards, different pixels, the epoch as long as ever. */
static void check_repeats(const char *path)
{
	struct batches_settings s = tiny(1, 12);
	struct dataset *d;
	struct batches *b;
	int seen[COUNT] = {0}, visited = 0, wrong = 0;

	s.shards = 4;
	s.repeats = 3;
	s.augment.shift = 10;
	dataset_open(&d, path, 1 << 30);
	batches_open(&b, d, &s);
	ok(batches_per_epoch(b) == 4, "with repeats an epoch is as long");
	for (int i = 0; i < 4; i++) {
		struct batch batch;

		batches_next(b, &batch);
		for (int k = 0; k < 12; k++) {
			seen[batch.index[k]]++;
			wrong += batch.erase[6 * k + 5] < 0 || batch.erase[6 * k + 5] > 2;
			for (int j = 0; j < k; j++)
				if (batch.index[j] == batch.index[k])
					wrong += j / 3 == k / 3 ||
						 batch.erase[6 * j + 5] == batch.erase[6 * k + 5];
		}
	}
	for (int i = 0; i < COUNT; i++) {
		visited += seen[i] > 0;
		wrong += seen[i] != 0 && seen[i] != 3;
	}
	ok(visited == 16 && wrong == 0, "views of a sample: three, in different shards");
	batches_close(b);
	dataset_close(d);
}

/* Without mixing the order is the epoch's own, with it that of the view too. */
static void check_views(const char *path)
{
	struct batches_settings s = tiny(1, 26);
	uint64_t mixed[8], plain[8];

	s.views = 2;
	hashes(path, 1 << 30, s, 0, 8, plain);
	s.augment.mixup = 0.8;
	s.augment.mix_probability = 1;
	hashes(path, 1 << 30, s, 0, 8, mixed);
	for (int i = 0; i < 8; i++)
		mixed[i] -= (uint64_t)(i / 2 * 1000);
	ok(mixed[0] == mixed[4] && mixed[1] == mixed[5] && mixed[2] == mixed[6] &&
			mixed[0] != mixed[2],
		"two views with mixing: epochs 0 and 2 are equal");
	ok(plain[0] + 2000 != plain[4], "without mixing only the views are");
}

static int open_status(const char *path)
{
	struct dataset *d;
	int status = dataset_open(&d, path, 1 << 30);

	dataset_close(d);
	return status;
}

static void check_spoilt(const char *path)
{
	static const char *const what[] = {"", "a label beyond the classes", "labels missing",
		"four channels", "no images", "another kind"};
	struct batches_settings s = tiny(1, 4);
	uint64_t out[8];

	for (int i = LABEL_HIGH; i <= OTHER_KIND; i++) {
		make_pixels(path, i);
		ok(open_status(path) == STATUS_DATA, "%s is refused: %s", what[i], error_message());
	}
	make_encoded(path, 2, 0, 1);
	ok(open_status(path) == STATUS_DATA, "an offset that goes back: %s", error_message());
	make_encoded(path, 2, 1, 0);
	augment_preset(&s.augment, "imagenet", 16);
	s.augment.mixup = s.augment.cutmix = 0;
	s.workers = 2;
	ok(hashes(path, 0, s, 0, 8, out) == STATUS_DATA && strstr(error_message(), "image 7") &&
			strstr(error_message(), "truncated"),
		"a damaged image is named: %s", error_message());
	ok(open_status("/nowhere.h5") == STATUS_NOINPUT, "a missing file");
}

static void check_settings(const char *path)
{
	struct batches_settings s = tiny(1, 54), odd = tiny(1, 6), other = tiny(1, 9);
	uint64_t out[1];

	ok(hashes(path, 0, s, 0, 1, out) == STATUS_DATA, "a batch above the file: %s",
		error_message());
	odd.shards = 2;
	odd.augment.cutmix = 1;
	ok(hashes(path, 0, odd, 0, 1, out) == STATUS_USAGE, "odd shards cannot mix: %s",
		error_message());
	other.shards = 2;
	ok(hashes(path, 0, other, 0, 1, out) == STATUS_USAGE, "shards that do not divide: %s",
		error_message());
	other.shards = 1;
	other.first = 50;
	other.limit = 4;
	ok(hashes(path, 0, other, 0, 1, out) == STATUS_DATA, "beyond the file: %s",
		error_message());
	other.first = other.limit = 0;
	other.augment.size = 32;
	ok(hashes(path, 0, other, 0, 1, out) == STATUS_DATA, "shift of another size: %s",
		error_message());
}

int main(void)
{
	char *pixels, *encoded, *spoilt;
	struct batches_settings s = tiny(1, 10), full = tiny(1, 8);

	if (!mkdtemp(folder))
		return 1;
	pixels = path_of("pixels.h5");
	encoded = path_of("encoded.h5");
	spoilt = path_of("spoilt.h5");
	make_pixels(pixels, WHOLE);
	make_encoded(encoded, 10, 0, 0);
	check_same(pixels, s, "pixels, shifted");
	augment_preset(&full.augment, "imagenet", 32);
	full.shards = 2;
	full.repeats = 3;
	check_same(encoded, full, "files, the whole recipe");
	check_seeks(pixels);
	check_order(pixels);
	check_evaluation(pixels);
	check_repeats(pixels);
	check_views(pixels);
	check_settings(pixels);
	check_spoilt(spoilt);
	remove(pixels);
	remove(encoded);
	remove(spoilt);
	rmdir(folder);
	free(pixels);
	free(encoded);
	free(spoilt);
	return done();
}
