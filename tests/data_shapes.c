/*
 * The micro-world's pictures: SHA-256 over pixels and label of every sample, taken from an
 * independent program (numpy, its own Philox); the form of every shape.
 */
#include "lib/data/shapes.h"

#include <openssl/evp.h>
#include "tests/tap.h"

struct set {
	uint64_t seed, first;
	enum shapes_split split;
	int64_t count;
	const char *name, *sha256;
};

static const struct set sets[] = {
	{0, 0, SHAPES_TRAIN, 16000, "training set",
		"3c739563f7fc1235fc8668961030c8fc4758f37ba2aadf3b5666a40f915618d4"},
	{0, 0, SHAPES_VALID, 2000, "validation set",
		"34d5e6522cfbdc25ea0b0ba934e9957b712e3ab4ec834a9f1f4b9157c3fa8283"},
	{0, 0, SHAPES_TEST, 2000, "test set",
		"689a5ec99b7c105357c7f3e17dd7d99af326d2efea6e6e612a8b3291168671c3"},
	{(1ull << 40) + 7, 0, SHAPES_TRAIN, 50, "seed beyond 32 bits",
		"7afc4aaf0f907412230cc0b23c8c398fb4899a54cc2e646aca41e02c6d3fe581"},
	{0, (1ull << 40) + 5, SHAPES_TRAIN, 1, "sample beyond 32 bits",
		"c40fba5ca06b0010a95aab01e984e7d3f6930f714a720584d228dd7803db9d3b"}};

static void check_set(const struct set *s)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	unsigned char digest[EVP_MAX_MD_SIZE];
	uint8_t sample[SHAPES_BYTES + 1];
	int64_t seen[SHAPES_CLASSES] = {0}, fewest = s->count;
	unsigned length = 0;
	char text[2 * EVP_MAX_MD_SIZE + 1];

	EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
	for (int64_t i = 0; i < s->count; i++) {
		int class = shapes_draw(s->seed, s->split, s->first + (uint64_t)i, sample);

		sample[SHAPES_BYTES] = (uint8_t) class;
		EVP_DigestUpdate(hash, sample, sizeof(sample));
		seen[class]++;
	}
	EVP_DigestFinal_ex(hash, digest, &length);
	EVP_MD_CTX_free(hash);
	for (unsigned i = 0; i < length; i++)
		sprintf(text + 2 * i, "%02x", digest[i]);
	if (!ok(!strcmp(text, s->sha256), "%s, %lld pictures", s->name, (long long)s->count))
		diag("got %s", text);
	if (s->count < 1000)
		return;
	for (int c = 0; c < SHAPES_CLASSES; c++)
		fewest = seen[c] < fewest ? seen[c] : fewest;
	ok(fewest > s->count / SHAPES_CLASSES / 2, "every class is there (fewest: %lld)",
		(long long)fewest);
}

/* Pixels of the six shapes in boxes of 10 and 5 (the same program), and left equal to right. */
static void check_forms(void)
{
	static const int pixels[SHAPES_KINDS] = {80, 64, 60, 64, 60, 64};
	static const int pixels_of_5[SHAPES_KINDS] = {21, 9, 17, 9, 13, 16};

	for (int kind = 0; kind < SHAPES_KINDS; kind++) {
		int n = 0, m = 0, sides = 1;

		for (int y = 0; y < 10; y++)
			for (int x = 0; x < 10; x++) {
				n += shapes_inside(kind, 10, x, y);
				sides &= shapes_inside(kind, 10, x, y) ==
					 shapes_inside(kind, 10, 9 - x, y);
			}
		for (int i = 0; i < 25; i++)
			m += shapes_inside(kind, 5, i % 5, i / 5);
		if (!ok(n == pixels[kind] && m == pixels_of_5[kind] && sides, "%s",
			    shapes_kind_name(kind)))
			diag("%d and %d pixels", n, m);
	}
}

static void check_names(void)
{
	int good = !shapes_class_name(-1) && !shapes_class_name(SHAPES_CLASSES) &&
		   !shapes_kind_name(SHAPES_KINDS);

	for (int c = 0; c < SHAPES_CLASSES; c++) {
		const char *kind = shapes_kind_name(c / SHAPES_COLOURS);
		size_t n = strlen(kind);

		good &= !strncmp(shapes_class_name(c), kind, n) && shapes_class_name(c)[n] == '-';
	}
	ok(good && !strcmp(shapes_class_name(0), "circle-red") &&
			!strcmp(shapes_class_name(47), "ring-white"),
		"names of the classes");
}

int main(void)
{
	check_forms();
	check_names();
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		check_set(&sets[i]);
	return done();
}
