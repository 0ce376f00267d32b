/* Checkpoints below tests/golden through the importer into networks. */
#ifndef TESTS_GOLDEN_IMPORT_H
#define TESTS_GOLDEN_IMPORT_H

#include <unistd.h>
#include "lib/models/convert.h"
#include "lib/models/weights.h"
#include "tests/folder.h"
#include "tests/golden_values.h"

static void quiet(const char *format, ...)
{
}

static void complain(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	printf("# ");
	vprintf(format, ap);
	printf("\n");
	va_end(ap);
}

static struct import_options asked; /* what may be made anew */

static int import_file(
	const struct network_config *config, const char *file, const char *key, const char *path)
{
	struct import_options o = asked;
	struct checkpoint *c;
	struct h5 *f;
	int status;

	o.say = quiet;
	o.complain = complain;
	TRY(checkpoint_open(&c, file, key));
	status = h5_create(&f, path, "weights");
	if (!status) {
		status = weights_import(c, config, &o, f);
		if (status)
			h5_close(&f);
		else
			status = h5_commit(&f);
	}
	checkpoint_close(&c);
	return status;
}

/* Imports a checkpoint of a golden's network and opens what came of it; NULL when that fails. */
__attribute__((unused)) static struct network *opened(
	const struct network_config *config, const char *file, const char *key)
{
	const char *path = in_folder("opened.h5");
	struct weights_source source = {.path = path};
	struct network *n = NULL;
	struct h5 *f;

	if (import_file(config, file, key, path) || weights_open(&n, &f, &source, device_cpu())) {
		diag("%s", error_message());
		return NULL;
	}
	h5_close(&f);
	return n;
}

#endif
