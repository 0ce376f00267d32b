/* The standard options, and numbers in options. */
#include "lib/cli/internal.h"

#include <errno.h>
#include <math.h>
#include <omp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"

enum {
	KEY_DEVICE = 0x1000,
	KEY_PRECISION,
	KEY_THREADS,
	KEY_SEED,
	KEY_NO_PROVENANCE,
	KEY_JSON,
	KEY_PART,
};

static const struct {
	unsigned when; /* 0: always */
	struct argp_option option;
} all[] = {
	{CLI_DEVICE, {"device", KEY_DEVICE, "auto|cpu|cuda[:i]", 0, "Where to compute (auto)"}},
	{CLI_DEVICE, {"precision", KEY_PRECISION, "fp32|tf32|bf16", 0,
			     "Of activations and matrix products on a GPU (fp32)"}},
	{CLI_THREADS,
		{"threads", KEY_THREADS, "N", 0, "CPU threads (OMP_NUM_THREADS, else all cores)"}},
	{CLI_SEED, {"seed", KEY_SEED, "N", 0, "Of all random numbers (0)"}},
	{CLI_DRY_RUN, {"dry-run", 'n', NULL, 0, "Only plan: print the memory needed, and stop"}},
	{CLI_PART, {"part", KEY_PART, "I/N", 0,
			   "Only part I of N of the work; join-parts puts the outputs together"}},
	{CLI_PROVENANCE, {"no-provenance", KEY_NO_PROVENANCE, NULL, 0,
				 "Leave the chain of provenance out of the output"}},
	{CLI_JSON, {"json", KEY_JSON, NULL, 0, "Print results as JSON lines instead of TSV"}},
	{0, {"quiet", 'q', NULL, 0, "Only errors and warnings on stderr"}},
	{0, {"verbose", 'v', NULL, 0, "More words on stderr, HDF5's own errors too"}},
};
#define ALL (sizeof(all) / sizeof(all[0]))

static void parse_device(struct argp_state *state, const char *text)
{
	const char *p = text + 5;
	char *end;

	if (!strncmp(text, "cuda:", 5)) {
		if (*p < '0' || *p > '9' || strtol(p, &end, 10) > 1023 || *end)
			argp_error(state, "--device %s: cuda:0, cuda:1, ... expected", text);
	} else if (strcmp(text, "auto") && strcmp(text, "cpu") && strcmp(text, "cuda")) {
		argp_error(state, "--device %s: auto, cpu, cuda or cuda:i expected", text);
	}
	cli.device = text;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const char *const precisions[] = {"fp32", "tf32", "bf16", NULL};

	switch (key) {
	case KEY_DEVICE:
		parse_device(state, arg);
		return 0;
	case KEY_PRECISION:
		cli.precision = precisions[cli_choice(state, "--precision", arg, precisions)];
		return 0;
	case KEY_THREADS:
		cli.threads = (int)cli_integer(state, "--threads", arg, 1, 1024);
		return 0;
	case KEY_SEED:
		cli.seed = (uint64_t)cli_integer(state, "--seed", arg, 0, INT64_MAX);
		cli.seed_given = 1;
		return 0;
	case KEY_NO_PROVENANCE:
		cli.provenance.off = 1;
		return 0;
	case KEY_JSON:
		cli.json = 1;
		return 0;
	case KEY_PART:
		if (part_parse(&cli.part, arg))
			argp_error(state, "--part: %s", error_message());
		return 0;
	case 'n':
		cli.dry_run = 1;
		return 0;
	case 'q':
		cli.quiet = 1;
		return 0;
	case 'v':
		cli.verbose = 1;
		return 0;
	case ARGP_KEY_ARGS: /* the tool has no use for it */
		argp_error(state, "'%s' is not expected", state->argv[state->next]);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp *cli_standard(unsigned options)
{
	static struct argp_option list[ALL + 1];
	static const struct argp standard = {.options = list, .parser = parse};
	int n = 0;

	for (unsigned i = 0; i < ALL; i++)
		if (!all[i].when || (options & all[i].when))
			list[n++] = all[i].option;
	memset(&list[n], 0, sizeof(list[n]));
	return &standard;
}

int cli_default_threads(void)
{
	const char *asked = getenv("OMP_NUM_THREADS");
	cpu_set_t set;

	if (asked && asked[0])
		return omp_get_max_threads();
	if (!sched_getaffinity(0, sizeof(set), &set) && CPU_COUNT(&set) > 0)
		return CPU_COUNT(&set);
	return omp_get_num_procs();
}

int64_t cli_integer(
	struct argp_state *state, const char *option, const char *text, int64_t min, int64_t max)
{
	int64_t scale = 1, value;
	char *end = (char *)text;
	int good = text[0] == '-' || (text[0] >= '0' && text[0] <= '9');

	errno = 0;
	value = strtoll(text, &end, 10);
	good = good && !errno && end != text;
	if (*end == 'K' || *end == 'M' || *end == 'G') {
		scale = *end == 'K' ? 1000 : *end == 'M' ? 1000000 : 1000000000;
		end++;
	}
	good = good && !*end && !__builtin_mul_overflow(value, scale, &value);
	if (!good)
		argp_error(state, "%s %s: a whole number expected", option, text);
	if (value < min || value > max)
		argp_error(state, "%s %s: must lie between %lld and %lld", option, text,
			(long long)min, (long long)max);
	return value;
}

double cli_number(
	struct argp_state *state, const char *option, const char *text, double min, double max)
{
	char *end = (char *)text;
	double value;
	/* decimal only: no "nan", "inf", "0x1p3" or leading spaces */
	int good = text[0] && !text[strspn(text, "0123456789+-.eE")];

	value = good ? strtod(text, &end) : 0;
	if (!good || end == text || *end || !isfinite(value))
		argp_error(state, "%s %s: a number expected", option, text);
	if (!(value >= min && value <= max))
		argp_error(state, "%s %s: must lie between %g and %g", option, text, min, max);
	return value;
}

int cli_choice(
	struct argp_state *state, const char *option, const char *text, const char *const *names)
{
	char list[400] = "";
	size_t used = 0;

	for (int i = 0; names[i]; i++) {
		if (!strcmp(text, names[i]))
			return i;
		if (used < sizeof(list))
			used += snprintf(
				list + used, sizeof(list) - used, "%s%s", i ? ", " : "", names[i]);
	}
	argp_error(state, "%s %s: one of %s expected", option, text, list);
	return 0;
}
