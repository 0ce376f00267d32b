/*
 * Every RandAugment operation against Pillow (tests/golden/randaugment.tsv): byte for byte, and the
 * five that move pixels within one grey level where the compiler fuses multiply and add.
 */
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/data/randaugment.h"
#include "tests/pictures.h"
#include "tests/tap.h"

#define SIDE 224

static const uint8_t fill[3] = {124, 116, 104};

struct row {
	char op[32], hex[2 * 16 * 12 * 3 + 1];
	double argument;
	int bicubic, kind, width, height;
	uint64_t hash;
};

struct tally {
	int rows, equal, levels_rows, levels_off;
};

static int row_read(FILE *f, struct row *r)
{
	char line[2048];

	do {
		if (!fgets(line, sizeof(line), f))
			return 0;
	} while (line[0] == '#');
	if (sscanf(line, "%31s %lf %d %d %d %d %lx %1152s", r->op, &r->argument, &r->bicubic,
		    &r->kind, &r->width, &r->height, &r->hash, r->hex) == 8)
		return 1;
	printf("Bail out! golden line not understood: %s", line);
	exit(1);
}

static int largest_difference(const struct row *r, const uint8_t *image)
{
	int largest = 0;

	for (int i = 0; i < r->width * r->height * 3; i++) {
		unsigned want;
		int d;

		sscanf(r->hex + 2 * i, "%2x", &want);
		d = abs((int)want - image[i]);
		if (d > largest)
			largest = d;
	}
	return largest;
}

static void check_row(const struct row *r, struct tally *t)
{
	static uint8_t image[SIDE * SIDE * 3];
	void *work = memory_new(randaugment_work(r->height, r->width), 1);
	int op = 0;

	while (op < RANDAUGMENT_OPS && strcmp(randaugment_name(op), r->op))
		op++;
	picture_fill(r->kind, image, r->height, r->width);
	randaugment_apply(op, r->argument, r->bicubic, fill, image, r->height, r->width, work);
	free(work);
	t[op].rows++;
	if (picture_hash(image, (size_t)r->width * r->height * 3) == r->hash)
		t[op].equal++;
	else
		diag("%s %.9g bicubic %d picture %d %dx%d differs", r->op, r->argument, r->bicubic,
			r->kind, r->width, r->height);
	if (r->hex[0] != '-') {
		t[op].levels_rows++;
		t[op].levels_off += largest_difference(r, image) > 1;
	}
}

static void check_goldens(void)
{
	static struct tally t[RANDAUGMENT_OPS];
	static struct row r;
	FILE *f = fopen("tests/golden/randaugment.tsv", "r");

	if (!ok(f != NULL, "goldens are there"))
		return;
	while (row_read(f, &r))
		check_row(&r, t);
	fclose(f);
	for (int op = 0; op < RANDAUGMENT_OPS; op++) {
		int moves = op == RANDAUGMENT_ROTATE || op >= RANDAUGMENT_SHEAR_X;

#ifndef __x86_64__
		if (moves)
			t[op].equal = t[op].rows;
#endif
		ok(t[op].rows >= 8 && t[op].equal == t[op].rows, "%s: %d of %d as Pillow",
			randaugment_name(op), t[op].equal, t[op].rows);
		if (moves)
			ok(t[op].levels_rows && !t[op].levels_off, "%s: within one grey level",
				randaugment_name(op));
	}
}

/* Arguments at the lowest, the usual and the highest level, from timm 0.4.12's formulas */
static void check_arguments(void)
{
	static const struct {
		enum randaugment_op op;
		double level;
		int negative;
		double want;
	} cases[] = {
		{RANDAUGMENT_ROTATE, 9, 0, 27},
		{RANDAUGMENT_ROTATE, 10, 1, -30},
		{RANDAUGMENT_POSTERIZE, 0, 0, 4},
		{RANDAUGMENT_POSTERIZE, 9, 0, 1},
		{RANDAUGMENT_POSTERIZE, 10, 1, 0},
		{RANDAUGMENT_SOLARIZE, 0, 0, 256},
		{RANDAUGMENT_SOLARIZE, 9, 0, 26},
		{RANDAUGMENT_SOLARIZE, 10, 0, 0},
		{RANDAUGMENT_SOLARIZE_ADD, 9, 0, 99},
		{RANDAUGMENT_SOLARIZE_ADD, 10, 0, 110},
		{RANDAUGMENT_COLOR, 9, 0, 1.81},
		{RANDAUGMENT_CONTRAST, 9, 1, 0.19},
		{RANDAUGMENT_BRIGHTNESS, 10, 1, 0.1},
		{RANDAUGMENT_SHARPNESS, 0, 1, 1},
		{RANDAUGMENT_SHEAR_X, 9, 1, -0.27},
		{RANDAUGMENT_SHEAR_Y, 10, 0, 0.3},
		{RANDAUGMENT_TRANSLATE_X, 9, 0, 0.405},
		{RANDAUGMENT_TRANSLATE_Y, 10, 1, -0.45},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char what[64];

		snprintf(what, sizeof(what), "%s at level %g%s", randaugment_name(cases[i].op),
			cases[i].level, cases[i].negative ? ", minus" : "");
		near(randaugment_argument(cases[i].op, cases[i].level, cases[i].negative),
			cases[i].want, 1e-12, what);
	}
}

/* No bits left: Pillow of timm 0.4.12's day gives black (later ones refuse the argument). */
static void check_black(void)
{
	uint8_t image[12 * 3], sum = 0;

	picture_fill(PICTURE_NOISE, image, 3, 4);
	randaugment_apply(RANDAUGMENT_POSTERIZE, 0, 1, fill, image, 3, 4, NULL);
	for (size_t i = 0; i < sizeof(image); i++)
		sum |= image[i];
	ok(sum == 0, "posterize to no bits is black");
}

static void check_notation(void)
{
	static const char *const wrong[] = {"", "rand", "rand-m9", "rand-m9-mstd0.5",
		"rand-m11-inc1", "rand-m9-mstd0.5-inc0", "rand-m9x-inc1", "rand-mnan-inc1",
		"rand-m9-w0-inc1", "augmix-m5", "rand-n2.5-inc1", "rand-n0-inc1", "rand-m-1-inc1",
		"rand-m9-inc1-",
		"rand-m9-mstd0.5-inc1-m9-mstd0.5-inc1-m9-mstd0.5-inc1-m9-mstd0.5-inc1"};
	struct randaugment r;
	char text[64];
	int refused = 0;

	ok(!randaugment_parse(&r, "rand-m9-mstd0.5-inc1") && r.ops == 2 && r.magnitude == 9 &&
			r.deviation == 0.5,
		"timm's notation is read");
	randaugment_print(&r, text, sizeof(text));
	ok(!strcmp(text, "rand-m9-mstd0.5-inc1"), "and written");
	ok(!randaugment_parse(&r, "rand-n3-m2.5-inc1") && r.ops == 3 && r.magnitude == 2.5 &&
			r.deviation == 0,
		"sections in any order");
	randaugment_print(&r, text, sizeof(text));
	ok(!strcmp(text, "rand-m2.5-n3-mstd0-inc1"), "another number of operations is written");
	ok(!randaugment_parse(&r, "none") && r.ops == 0, "none");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		int status = randaugment_parse(&r, wrong[i]);

		refused += status == STATUS_USAGE;
		if (status != STATUS_USAGE)
			diag("'%s' was taken", wrong[i]);
	}
	ok(refused == sizeof(wrong) / sizeof(wrong[0]), "anything else is refused");
}

int main(void)
{
	check_goldens();
	check_arguments();
	check_black();
	check_notation();
	return done();
}
