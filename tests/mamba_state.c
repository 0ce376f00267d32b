/*
 * A language model that goes on from its state: a row read in pieces, however cut, gives the bits
 * of the row read at once; a state taken out and put back goes on as it did.
 */
#include <omp.h>
#include "lib/base/error.h"
#include "lib/models/language.h"
#include "tests/tap.h"

#define ROWS 3
#define LEN 21

static struct network *net;
static int64_t vocabulary;
static int32_t ids[ROWS * LEN];

struct reader {
	struct program *program;
	struct network_out out;
	tensor in;
	void *block;
	int64_t len;
};

static int reader_open(struct reader *r, int64_t len, struct network_state *s, int last)
{
	struct network_want want = {.last_logits = last};

	r->len = len;
	r->program = program_new(PROGRAM_EVAL);
	r->in = program_input(r->program, "ids", TYPE_I32, 2, (int64_t[]){ROWS, len});
	network_build_tokens(net, r->program, r->in, s, &want, &r->out);
	program_keep(r->program, r->out.logits, "logits");
	TRY(program_plan(r->program, device_cpu()));
	r->block = device_cpu()->alloc(program_bytes(r->program));
	return program_bind(r->program, r->block);
}

static void reader_close(struct reader *r)
{
	program_free(r->program);
	device_cpu()->release(r->block);
}

/* Tokens [from, from + len) of every row; their logits go to their places in all (ROWS, LEN, V). */
static void read_on(struct reader *r, int64_t from, real *all)
{
	int64_t V = vocabulary;
	int32_t part[ROWS * LEN];
	real *host = malloc(r->out.logits->count * sizeof(*host));

	for (int64_t i = 0; i < ROWS * r->len; i++)
		part[i] = ids[i / r->len * LEN + from + i % r->len];
	tensor_put(r->program, r->in, part);
	program_forward(r->program, &(struct step){.divisor = 1, .scale = 1});
	tensor_get(r->program, r->out.logits, host);
	for (int64_t b = 0; b < ROWS; b++)
		memcpy(all + (b * LEN + from) * V, host + b * r->len * V,
			r->len * V * sizeof(*host));
	free(host);
}

/* Pieces of the given lengths, one after another; a program for each. */
static int read_pieces(const int *lengths, struct network_state *s, real *all)
{
	int64_t at = 0;

	for (int i = 0; lengths[i]; i++) {
		struct reader r;

		TRY(reader_open(&r, lengths[i], s, 0));
		read_on(&r, at, all);
		at += lengths[i];
		reader_close(&r);
	}
	return at == LEN ? 0 : STATUS_BUG;
}

static void test_cuts(const real *whole, const real *left, struct network_state *s)
{
	int64_t n = ROWS * LEN * vocabulary, count = network_state_count(s);
	real *got = malloc(n * sizeof(*got)), *state = malloc(count * sizeof(*state));
	int good = 1, cuts[LEN + 1], same = 1;

	for (int at = 1; at < LEN; at++) {
		network_state_clear(s);
		good &= !read_pieces((const int[]){at, LEN - at, 0}, s, got);
		same &= !memcmp(got, whole, n * sizeof(*got));
		network_state_get(s, state);
		same &= !memcmp(state, left, count * sizeof(*state));
	}
	ok(good && same, "cut in two, at any place: the same bits, the same state");
	for (int i = 0; i <= LEN; i++)
		cuts[i] = i < LEN;
	network_state_clear(s);
	memset(got, 0, n * sizeof(*got));
	ok(!read_pieces(cuts, s, got) && !memcmp(got, whole, n * sizeof(*got)),
		"token by token: the same bits");
	omp_set_num_threads(2);
	network_state_clear(s);
	ok(!read_pieces((const int[]){2, 5, 1, 12, 1, 0}, s, got) &&
			!memcmp(got, whole, n * sizeof(*got)),
		"in odd pieces, on two threads: the same bits");
	omp_set_num_threads(1);
	network_state_get(s, state);
	ok(!memcmp(state, left, count * sizeof(*state)), "and the same state is left");
	free(got);
	free(state);
}

static void test_save(const real *whole, struct network_state *s)
{
	int64_t n = ROWS * LEN * vocabulary, count = network_state_count(s);
	real *got = calloc(n, sizeof(*got)), *saved = malloc(count * sizeof(*saved));
	struct reader head, tail;

	ok(!reader_open(&head, 8, s, 0) && !reader_open(&tail, LEN - 8, s, 0), "two programs");
	network_state_clear(s);
	read_on(&head, 0, got);
	network_state_get(s, saved);
	read_on(&tail, 8, got);
	read_on(&head, 3, got); /* elsewhere */
	network_state_put(s, saved);
	memset(got, 0, n * sizeof(*got));
	network_state_clear(s);
	read_on(&head, 0, got);
	read_on(&tail, 3, got); /* elsewhere */
	network_state_put(s, saved);
	read_on(&tail, 8, got);
	for (int64_t b = 0; b < ROWS; b++)
		if (memcmp(got + (b * LEN + 8) * vocabulary, whole + (b * LEN + 8) * vocabulary,
			    (LEN - 8) * vocabulary * sizeof(*got)))
			n = 0;
	ok(n, "a state put back goes on as it did");
	reader_close(&head);
	reader_close(&tail);
	free(got);
	free(saved);
}

static void test_last(const real *whole)
{
	struct reader r;
	int same = 1;
	real *one = malloc(ROWS * vocabulary * sizeof(*one));
	int32_t all[ROWS * LEN];

	ok(!reader_open(&r, LEN, NULL, 1) && r.out.logits->shape[1] == 1,
		"logits of the last token alone");
	memcpy(all, ids, sizeof(all));
	tensor_put(r.program, r.in, all);
	program_forward(r.program, &(struct step){.divisor = 1, .scale = 1});
	tensor_get(r.program, r.out.logits, one);
	for (int64_t b = 0; b < ROWS; b++)
		same &= !memcmp(one + b * vocabulary, whole + (b * LEN + LEN - 1) * vocabulary,
			vocabulary * sizeof(*one));
	ok(same, "are those of the whole row");
	reader_close(&r);
	free(one);
}

/* --- what is refused --- */

static int refused(struct program *p, const char *words)
{
	int good = program_plan(p, device_cpu()) == STATUS_DATA && strstr(error_message(), words);

	if (!good)
		diag("%s", error_message());
	program_free(p);
	return good;
}

static struct program *built(enum program_mode mode, enum type type, int64_t rows,
	struct network *n, struct network_state *s)
{
	struct network_want want = {0};
	struct network_out out;
	struct program *p = program_new(mode);
	tensor in = program_input(p, "ids", type, 2, (int64_t[]){rows, 5});

	network_build_tokens(n, p, in, s, &want, &out);
	return p;
}

static void test_refusals(struct network_state *s)
{
	struct network_want want = {0};
	struct network_out out;
	struct network_config c;
	struct network *deit;
	struct network_state *none;
	struct program *p = program_new(PROGRAM_EVAL);

	network_build(net, p, program_input(p, "image", TYPE_REAL, 4, (int64_t[]){1, 224, 224, 3}),
		&want, &out);
	ok(refused(p, "reads tokens"), "a picture");
	ok(refused(built(PROGRAM_EVAL, TYPE_REAL, 2, net, NULL), "reads tokens"), "reals");
	ok(refused(built(PROGRAM_EVAL, TYPE_I32, ROWS + 1, net, s), "3 rows for 4"),
		"a state of other rows");
	ok(refused(built(PROGRAM_TRAIN, TYPE_I32, ROWS, net, s), "window"),
		"a state where there is backward");
	network_find("deit-micro-t", &c);
	ok(!network_new(&deit, &c, NULL) &&
			network_state_new(&none, deit, 1, device_cpu()) == STATUS_DATA && !none,
		"a state of a network that has none");
	ok(network_state_new(&none, net, 0, device_cpu()) == STATUS_DATA &&
			network_state_new(&none, net, INT64_MAX / 8, device_cpu()) == STATUS_DATA,
		"no rows, too many rows");
	ok(refused(built(PROGRAM_EVAL, TYPE_I32, 2, deit, NULL), "takes pictures"),
		"tokens for a network of pictures");
	network_free(deit);
}

int main(void)
{
	struct network_config c;
	struct network_state *s;
	struct reader r;
	real *whole, *again, *left;
	int64_t n;

	network_find("mamba-micro", &c);
	c.dim = 72; /* an inner width that blocks of channels do not divide */
	c.depth = 3;
	vocabulary = c.classes;
	n = ROWS * LEN * vocabulary;
	if (network_new(&net, &c, NULL) || model_allocate(net->model, device_cpu(), 1) ||
		model_init(net->model, 0, 7) || network_state_new(&s, net, ROWS, device_cpu())) {
		ok(0, "a network: %s", error_message());
		return done();
	}
	for (int i = 0; i < ROWS * LEN; i++)
		ids[i] = (int32_t)(i * 37 % vocabulary);
	omp_set_num_threads(1);
	whole = malloc(n * sizeof(*whole));
	again = malloc(n * sizeof(*again));
	left = malloc(network_state_count(s) * sizeof(*left));
	ok(!reader_open(&r, LEN, NULL, 0), "a program without state");
	read_on(&r, 0, again);
	reader_close(&r);
	ok(!read_pieces((const int[]){LEN, 0}, s, whole) && !memcmp(whole, again, n * sizeof(real)),
		"with an empty state: the same bits");
	network_state_get(s, left);
	test_cuts(whole, left, s);
	test_save(whole, s);
	test_last(whole);
	test_refusals(s);
	free(whole);
	free(again);
	free(left);
	network_state_free(s);
	network_free(net);
	return done();
}
