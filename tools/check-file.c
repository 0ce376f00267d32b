/* check-file: are files whole? */
#include <stdlib.h>
#include <string.h>
#include "lib/base/error.h"
#include "lib/cli/cli.h"
#include "lib/io/check.h"
#include "lib/io/h5.h"

struct settings {
	char **paths;
	int count;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct settings *s = state->input;

	switch (key) {
	case ARGP_KEY_ARGS:
		s->paths = state->argv + state->next;
		s->count = state->argc - state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which files? - is standard input");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {NULL, parse, "FILE...",
	"Reads files of transmamba from end to end: checksums, content hash, and what each kind "
	"must "
	"hold.\v"
	"Exits 0 when all are whole, 1 when one is not, 66 when one is missing.\n"
	"Example:\n"
	"  check-file build/data/*.h5"};

static int check(const char *path, struct result *r)
{
	struct h5 *f = NULL;
	int status = h5_open(&f, path, NULL);

	if (!status)
		status = check_whole(f);
	result_text(r, "file", path);
	result_text(r, "kind", f ? h5_kind(f) : "");
	result_text(r, "state", status ? "not whole" : "whole");
	result_text(r, "why", status ? error_message() : "");
	result_row(r);
	h5_close(&f);
	return status == STATUS_DATA ? STATUS_NO : status;
}

static int run(const struct settings *s)
{
	struct result *r = result_new(stdout);
	char message[1024] = "";
	int worst = 0;

	for (int i = 0; i < s->count; i++) {
		int status = check(s->paths[i], r);

		if (status && (!worst || (worst == STATUS_NO && status != STATUS_NO))) {
			worst = status;
			snprintf(message, sizeof(message), "%s", error_message());
		}
	}
	result_free(r);
	return worst ? error(worst, "%s", message) : 0;
}

int main(int argc, char **argv)
{
	struct settings s = {0};

	cli_start(&argp, argc, argv, &s, CLI_JSON);
	return cli_end(run(&s));
}
