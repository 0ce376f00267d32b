/* join-parts: the outputs of a job array into the file that one process would have written. */
#include "lib/base/error.h"
#include "lib/cli/cli.h"
#include "lib/io/join.h"

struct settings {
	char **paths;
	int count;
	const char *output;
};

static const struct argp_option options[] = {
	{"output", 'o', "FILE", 0, "The whole to write; - is standard output"}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct settings *s = state->input;

	switch (key) {
	case 'o':
		s->output = arg;
		return 0;
	case ARGP_KEY_ARGS:
		s->paths = state->argv + state->next;
		s->count = state->argc - state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which parts?");
		return 0;
	case ARGP_KEY_END:
		if (!s->output)
			argp_error(state, "no --output is given");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {options, parse, "PART...",
	"Puts together what extract-teacher-features, eval-cls --predictions or pack-images wrote "
	"with --part 1/N to N/N: the rows of all parts in order, as one process would have written "
	"them.\v"
	"Parts are given in any order, all of them, and of one run: the same inputs and settings, "
	"which is checked, and one kind of machine, which is not. Nothing else reads a part but "
	"show-tensors, diff-tensors and check-file.\n\n"
	"A job array of Slurm, then the whole:\n"
	"  sbatch --array=1-4 pipelines/cluster/stage.sbatch \\\n"
	"    build/bin/extract-teacher-features --teacher t.h5 --data train.h5 \\\n"
	"    --set views=1 --part %a/4 -o features-%a.h5\n"
	"  join-parts features-*.h5 -o features.h5\n"};

static void progress_say(void *data, int64_t done)
{
	progress_update(data, done, "%s", "");
}

static int copy(const struct join *j, struct h5 *out)
{
	struct progress progress;

	progress_start(&progress, "joining", "tensors", 0, join_pieces(j));
	TRY(join_write(j, out, progress_say, &progress));
	progress_end(&progress);
	cli.provenance.seconds = cli_seconds();
	return 0;
}

static int join(const struct join *j, const char *output)
{
	struct h5 *out;

	for (int i = 0; i < j->count; i++)
		TRY(provenance_input(&cli.provenance, j->parts[i]));
	TRY(h5_create(&out, output, h5_kind(j->parts[0])));
	return provenance_commit(&cli.provenance, &out, copy(j, out));
}

static int run(const struct settings *s)
{
	struct join j;
	int status;

	TRY(join_open(&j, s->paths, s->count));
	status = join(&j, s->output);
	join_close(&j);
	return status;
}

int main(int argc, char **argv)
{
	struct settings s = {0};

	cli_start(&argp, argc, argv, &s, CLI_PROVENANCE);
	return cli_end(run(&s));
}
