/*
 * The random parts of a view: their distributions against closed forms, at a fixed seed. Bounds are
 * five standard errors of the statistic, or the Kolmogorov-Smirnov distance at one in a million.
 */
#include "lib/base/error.h"
#include "lib/data/draw.h"
#include "lib/data/view.h"
#include "tests/pictures.h"
#include "tests/tap.h"

#define N 40000

static double sample[N];

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Largest distance of the sample's distribution from f: 2.7 / sqrt n is one in a million. */
static void distribution(int n, double (*f)(double x), const char *what)
{
	double worst = 0;

	qsort(sample, (size_t)n, sizeof(*sample), ascending);
	for (int i = 0; i < n; i++) {
		double d = fabs(f(sample[i]) - (i + 0.5) / n) + 0.5 / n;

		worst = d > worst ? d : worst;
	}
	if (!ok(worst * sqrt(n) < 2.7, "%s", what))
		diag("distance %g of %d", worst, n);
}

static void share(int hits, int n, double p, const char *what)
{
	double bound = 5 * sqrt(p * (1 - p) / n) + 1e-9;

	if (!ok(fabs((double)hits / n - p) <= bound, "%s", what))
		diag("%d of %d, not %g within %g", hits, n, p, bound);
}

static struct view_key key_of(int i)
{
	return (struct view_key){42, (uint32_t)(i % 7), (uint64_t)i};
}

/* --- functions --- */

static void check_functions(void)
{
	double worst_log = 0, worst_exp = 0;

	for (int i = 1; i < 20000; i++) {
		double x = i % 2 ? i * 1e-4 : ldexp(1 + i / 20000.0, i % 600 - 300);
		double y = (i - 10000) * 0.069;
		double log_error = fabs(exact_log(x) - log(x)) / (fabs(log(x)) + 1e-3);
		double exp_error = fabs(exact_exp(y) / exp(y) - 1);

		worst_log = log_error > worst_log ? log_error : worst_log;
		worst_exp = exp_error > worst_exp ? exp_error : worst_exp;
	}
	ok(worst_log < 1e-14, "logarithm, worst %.2g", worst_log);
	ok(worst_exp < 4e-13, "exponential, worst %.2g", worst_exp);
}

/* --- crops --- */

static double area_uniform(double x)
{
	return (x - 0.3) / 0.3;
}

static double aspect_log_uniform(double x)
{
	return (x - log(0.75)) / (2 * log(4.0 / 3));
}

static double unit(double x)
{
	return x;
}

/*
 * Areas of 0.3 .. 0.6 always fit a square, so the first attempt is taken and both laws show
 * undisturbed; the side of 4000 makes rounding small.
 */
static void check_crops(void)
{
	struct augment a = {.geometry = AUGMENT_CROP,
		.size = 224,
		.scale_min = 0.3,
		.scale_max = 0.6,
		.ratio_min = 3.0 / 4,
		.ratio_max = 4.0 / 3};
	int outside = 0;

	for (int pass = 0; pass < 4; pass++) {
		static const char *const what[] = {"area of crops is uniform",
			"aspect of crops is log-uniform", "place of crops along y is uniform",
			"place of crops along x is uniform"};
		double (*const law[])(double) = {area_uniform, aspect_log_uniform, unit, unit};

		for (int i = 0; i < N; i++) {
			struct view_key key = key_of(i);
			struct window w = view_crop(&a, &key, 4000, 4000);
			double values[] = {(double)(w.height * w.width) / 16e6,
				log((double)w.width / (double)w.height),
				(w.top + 0.5) / (4001.0 - w.height),
				(w.left + 0.5) / (4001.0 - w.width)};

			sample[i] = values[pass];
			outside += w.top < 0 || w.left < 0 || w.top + w.height > 4000 ||
				   w.left + w.width > 4000;
		}
		distribution(N, law[pass], what[pass]);
	}
	ok(outside == 0, "crops lie inside");
}

/* Attempts that do not fit are drawn again; when none fits, the centre. */
static void check_fallback(void)
{
	struct augment a = {.geometry = AUGMENT_CROP,
		.size = 224,
		.scale_min = 1,
		.scale_max = 1,
		.ratio_min = 3.0 / 4,
		.ratio_max = 4.0 / 3};
	struct view_key key = key_of(3);
	struct window w = view_crop(&a, &key, 100, 1000);

	ok(w.height == 100 && w.width == 133 && w.top == 0 && w.left == 433,
		"a wide image falls back to the widest central crop");
	w = view_crop(&a, &key, 1000, 100);
	ok(w.height == 133 && w.width == 100 && w.top == 433 && w.left == 0,
		"a tall one to the tallest");
	a.scale_min = 0.08;
	w = view_crop(&a, &key, 1, 1);
	ok(w.height == 1 && w.width == 1 && w.top == 0 && w.left == 0, "one pixel stays");
}

/* --- flips, shifts, RandAugment --- */

static void check_flips(void)
{
	struct augment a = {.flip = 0.5, .shift = 3, .rand = {2, 9, 0.5}};
	int flips = 0, counts[7] = {0}, ops[RANDAUGMENT_OPS] = {0}, applied = 0, minus = 0;
	int rotations = 0, pairs = 0;
	double sum = 0, squares = 0;

	for (int i = 0; i < N; i++) {
		struct view_key key = key_of(i);
		enum randaugment_op first, second;
		double argument, other;
		int64_t dy, dx;

		flips += view_flip(&a, &key);
		view_shift(&a, &key, &dy, &dx);
		counts[dy + 3] += dx == 2;
		applied += view_randaugment(&a, &key, 0, &first, &argument);
		view_randaugment(&a, &key, 1, &second, &other);
		ops[first]++;
		pairs += first == second;
		if (first == RANDAUGMENT_ROTATE) {
			rotations++;
			minus += argument < 0;
			sum += fabs(argument) / 3;
			squares += argument * argument / 9;
		}
	}
	share(flips, N, 0.5, "half are flipped");
	for (int i = 0; i < 7; i++)
		share(counts[i], N, 1.0 / 49, "shifts are uniform and independent");
	share(applied, N, 0.5, "half of the operations are applied");
	for (int i = 0; i < RANDAUGMENT_OPS; i++)
		share(ops[i], N, 1.0 / 15, randaugment_name(i));
	share(pairs, N, 1.0 / 15, "with replacement");
	share(minus, rotations, 0.5, "half turn the other way");
	/* N(9, 0.5) cut at 10: mean 9 - 0.5 (phi(2) - 2 (1 - Phi(2))) = 8.99575 */
	sum /= rotations;
	near(sum, 8.99575, 5 * 0.5 / sqrt(rotations) / 9, "mean of the magnitude");
	near(sqrt(squares / rotations - sum * sum), 0.4905, 0.05, "its deviation");
}

/* --- erasing --- */

static double erase_uniform(double x)
{
	return (x - 0.02) / (1.0 / 3 - 0.02);
}

static double erase_aspect(double x)
{
	return (x + log(1 / 0.3)) / (2 * log(1 / 0.3));
}

/*
 * A box must be below the view's side in both directions, which refuses some areas and aspects:
 * below 0.3 none is refused (sqrt(0.3 / 0.3) = 1), so areas there keep their shares to each other.
 */
static void check_erasing(void)
{
	struct augment a = {.erase = 0.25, .size = 2000};
	int boxes = 0, small = 0, kept = 0, outside = 0;

	for (int i = 0; i < N; i++) {
		struct view_key key = key_of(i);
		struct window w = view_erase(&a, &key);
		double area = (double)(w.height * w.width) / 4e6;

		if (!w.height)
			continue;
		boxes++;
		outside += w.top + w.height > 2000 || w.left + w.width > 2000 || w.top < 0 ||
			   w.left < 0;
		if (area < 0.2999)
			small++;
	}
	share(boxes, N, 0.25, "a quarter is erased");
	ok(outside == 0, "boxes lie inside");
	/* between 0.3 and 1/3 a share of 2.7 % of the aspects does not fit; drawn again anywhere */
	share(small, boxes, 0.8945, "areas of the boxes");
	a.erase = 1;
	for (int i = 0; i < N; i++) {
		struct view_key key = key_of(i);
		struct window w = view_erase(&a, &key);

		if (w.height * w.width < 4e6 * 0.2999)
			sample[kept++] = log((double)w.height / (double)w.width);
	}
	distribution(kept, erase_aspect, "aspect of the boxes is log-uniform");
	kept = 0;
	for (int i = 0; i < N; i++) {
		struct view_key key = key_of(i);
		struct window w = view_erase(&a, &key);

		if (w.height * w.width < 4e6 * 0.2999)
			sample[kept++] =
				0.02 + (1.0 / 3 - 0.02) *
					       ((double)(w.height * w.width) / 4e6 - 0.02) /
					       (0.2999 - 0.02);
	}
	distribution(kept, erase_uniform, "area of the boxes is uniform");
}

/* --- mixing --- */

/* Beta(1/2, 1/2) and Beta(2, 2) have closed distributions; Beta(1, 1) is uniform. */
static double arcsine(double x)
{
	return 2 / M_PI * asin(sqrt(x));
}

static double beta_two(double x)
{
	return x * x * (3 - 2 * x);
}

static void check_beta(void)
{
	static const double shapes[] = {0.5, 1, 2};
	double (*const law[])(double) = {arcsine, unit, beta_two};
	static const char *const what[] = {"Beta(1/2, 1/2)", "Beta(1, 1)", "Beta(2, 2)"};
	double sum = 0, squares = 0;
	int outside = 0;

	for (int k = 0; k < 3; k++) {
		for (int i = 0; i < N; i++) {
			struct draw d = {9, PURPOSE_MIX, (uint32_t)k, (uint64_t)i};

			sample[i] = draw_beta(&d, 0, shapes[k]);
		}
		distribution(N, law[k], what[k]);
	}
	for (int i = 0; i < N; i++) {
		struct draw d = {9, PURPOSE_MIX, 3, (uint64_t)i};
		double x = draw_beta(&d, 0, 0.8), tiny = draw_beta(&d, 1024, 1e-4);

		sum += x;
		squares += (x - 0.5) * (x - 0.5);
		outside += !(tiny >= 0 && tiny <= 1);
	}
	near(sum / N, 0.5, 5 * 0.31 / sqrt(N), "mean of Beta(0.8, 0.8)");
	near(squares / N, 1 / (4 * 2.6), 0.002, "its variance is 1 / (4 (2 a + 1))");
	ok(outside == 0, "tiny shapes stay within 0 .. 1");
}

static void check_mixing(void)
{
	struct augment a = {
		.size = 32, .mixup = 0.8, .cutmix = 1, .mix_probability = 1, .mix_switch = 0.5};
	int cut = 0, wrong = 0, none = 0, same = 0;
	float mix[6], again[6];

	for (int i = 0; i < N; i++) {
		augment_mix(&a, 5, i / 1000, i % 1000, i % 8, mix);
		augment_mix(&a, 5, i / 1000, i % 1000, (i + 1) % 8, again);
		same += !memcmp(mix, again, sizeof(mix));
		if (mix[0] != 2) {
			wrong += mix[0] != 1 || !(mix[1] >= 0 && mix[1] <= 1);
			continue;
		}
		cut++;
		none += mix[1] == 1;
		wrong += !(mix[2] >= 0 && mix[3] >= 0 && mix[4] <= 32 && mix[5] <= 32 &&
			   mix[2] <= mix[4] && mix[3] <= mix[5]);
		wrong += fabs(mix[1] - (1 - (mix[4] - mix[2]) * (mix[5] - mix[3]) / 1024)) > 1e-6;
	}
	share(cut, N, 0.5, "half of the steps paste");
	ok(wrong == 0, "boxes lie inside, lambda is the area that stays");
	/* shares lambda > 1 - (2 / 32)^2 give no box: sides below 2 are cut to 2 floor(side / 2) */
	share(none, cut, 4.0 / 1024, "boxes without pixels");
	ok(same < N / 500, "shards draw their own");
	a.mix_probability = 0;
	augment_mix(&a, 5, 0, 0, 0, mix);
	ok(mix[0] == 0 && mix[1] == 1, "switched off by probability");
	a.mix_probability = 1;
	a.mixup = a.cutmix = 0;
	augment_mix(&a, 5, 0, 0, 0, mix);
	ok(mix[0] == 0 && mix[1] == 1, "switched off by both shapes");
}

/* --- whole views --- */

static void check_shifted_view(struct view_work *work)
{
	static uint8_t in[32 * 32 * 3], out[32 * 32 * 3];
	struct picture p = {32, 32, in, 0};
	struct augment a = {.geometry = AUGMENT_SHIFT, .size = 32, .shift = 3, .flip = 0.5};
	int32_t erase[6];
	int wrong = 0;

	picture_fill(PICTURE_NOISE, in, 32, 32);
	for (int i = 0; i < 200; i++) {
		struct view_key key = {3, 1, (uint64_t)i};
		int64_t dy, dx;

		view_shift(&a, &key, &dy, &dx);
		wrong += augment_view(&a, 1, &p, 3, 1, i, out, erase, work) != 0;
		for (int y = 0; y < 32; y++)
			for (int x = 0; x < 32; x++) {
				int64_t from_y = y + dy, from_x = view_flip(&a, &key) ? 31 - x : x;

				from_x += dx;
				from_y = from_y < 0 ? 0 : from_y > 31 ? 31 : from_y;
				from_x = from_x < 0 ? 0 : from_x > 31 ? 31 : from_x;
				wrong += memcmp(out + 3 * (32 * y + x),
						 in + 3 * (32 * from_y + from_x), 3) != 0;
			}
	}
	ok(wrong == 0, "a shifted view repeats the border");
	p.width = 31;
	ok(augment_view(&a, 1, &p, 3, 1, 0, out, erase, work) == STATUS_DATA,
		"another size is refused");
}

/* A view is a function of its key alone; colours change only when asked. */
static void check_full_view(struct view_work *work)
{
	static uint8_t in[90 * 70 * 3], out[3][64 * 64 * 3];
	struct picture p = {90, 70, in, 0};
	struct augment a;
	int32_t erase[3][6];
	int changed = 0, other = 0;

	picture_fill(PICTURE_SMOOTH, in, 90, 70);
	ok(!augment_preset(&a, "imagenet", 64) && !augment_check(&a), "the preset is in range");
	for (int i = 0; i < 50; i++) {
		augment_view(&a, 1, &p, 3, 1, i, out[0], erase[0], work);
		augment_view(&a, 1, &p, 3, 1, 1000 + i, out[1], erase[1], work);
		augment_view(&a, 1, &p, 3, 1, i, out[2], erase[2], work);
		changed += memcmp(out[0], out[2], sizeof(out[0])) != 0 ||
			   memcmp(erase[0], erase[2], sizeof(erase[0])) != 0;
		other += memcmp(out[0], out[1], sizeof(out[0])) != 0;
	}
	ok(changed == 0 && other >= 49, "equal keys give equal views, others do not");
	ok(erase[0][4] == 49 && erase[0][5] == 1, "the noise is keyed by sample and epoch");
	a.rand.ops = 0;
	a.jitter = 0;
	augment_view(&a, 1, &p, 3, 1, 0, out[0], erase[0], work);
	a.jitter = 0.3;
	augment_view(&a, 1, &p, 3, 1, 0, out[1], erase[1], work);
	ok(memcmp(out[0], out[1], sizeof(out[0])) != 0, "jitter alone changes colours");
}

static void check_settings(void)
{
	struct augment a, b;
	char *first, *second;

	augment_preset(&a, "imagenet", 224);
	b = a;
	first = augment_text(&a);
	b.scale_min = nextafter(b.scale_min, 1);
	second = augment_text(&b);
	ok(first && second && strcmp(first, second) != 0, "the text tells neighbours apart");
	ok(strstr(first, "\"0.08\"") && strstr(first, "rand-m9-mstd0.5-inc1"), "and is readable");
	free(first);
	free(second);
	a.flip = NAN;
	ok(augment_check(&a) == STATUS_USAGE && strstr(error_message(), "flip"), "NaN is refused");
	a.flip = 0;
	a.scale_min = 0;
	ok(augment_check(&a) == STATUS_USAGE, "crops without area are refused");
	ok(augment_preset(&a, "other", 32) == STATUS_USAGE, "a preset that is not there");
}

int main(void)
{
	struct view_work *work = view_work_new();

	check_functions();
	check_crops();
	check_fallback();
	check_flips();
	check_erasing();
	check_beta();
	check_mixing();
	check_shifted_view(work);
	check_full_view(work);
	check_settings();
	view_work_free(work);
	return done();
}
