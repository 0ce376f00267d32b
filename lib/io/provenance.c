#include "lib/io/provenance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/io/file_hash.h"
#include "lib/io/h5_internal.h"
#include "lib/io/utf8.h"

#define LINKS_MAX 9999

struct attribute {
	char *name, *text;
};

struct link {
	struct attribute *list;
	int count;
};

struct provenance_inputs {
	char *text; /* lines "path<TAB>hash" */
	int chained;
	struct link *chain; /* of the first input */
	int count;
};

static hid_t open_link(struct h5 *f, int link)
{
	char name[40];

	snprintf(name, sizeof(name), "/provenance/%04d", link + 1);
	if (H5Lexists(f->file, "/provenance", H5P_DEFAULT) <= 0 ||
		H5Lexists(f->file, name, H5P_DEFAULT) <= 0)
		return -1;
	return H5Gopen2(f->file, name, H5P_DEFAULT);
}

int provenance_links(struct h5 *f, int *count)
{
	for (*count = 0; *count < LINKS_MAX; ++*count) {
		hid_t id = open_link(f, *count);

		if (id < 0)
			return 0;
		H5Gclose(id);
	}
	return 0;
}

int provenance_attributes(struct h5 *f, int link, char ***names, int *count)
{
	hid_t id = open_link(f, link);
	int status;

	if (id < 0)
		return h5_error(f, STATUS_DATA, "has no link %d of provenance", link + 1);
	status = h5_names_of(f, id, 1, names, count);
	H5Gclose(id);
	return status;
}

int provenance_get(struct h5 *f, int link, const char *attribute, char **text)
{
	hid_t id = open_link(f, link);
	int status;

	*text = NULL;
	if (id < 0)
		return h5_error(f, STATUS_DATA, "has no link %d of provenance", link + 1);
	status = h5_attr_get(f, id, attribute, text);
	H5Gclose(id);
	return status;
}

/* "/here/data/a.h5" becomes "data/a.h5" in /here, "~/a.h5" below the home folder. */
static char *short_path(const char *path)
{
	char *here = getcwd(NULL, 0), *out = NULL;
	const char *home = getenv("HOME");
	size_t n = here ? strlen(here) : 0;

	if (path[0] == '/' && n > 1 && !strncmp(path, here, n) && path[n] == '/')
		out = memory_string(path + n + 1);
	else if (path[0] == '/' && home && (n = strlen(home)) > 1 && !strncmp(path, home, n) &&
		 (path[n] == '/' || !path[n]))
		out = memory_format("~%s", path + n);
	else
		out = memory_string(path);
	free(here);
	if (out)
		utf8_clean(out);
	return out;
}

static struct provenance_inputs *inputs_of(struct provenance *p)
{
	if (!p->inputs)
		p->inputs = memory_new(1, sizeof(*p->inputs));
	return p->inputs;
}

static int add_input(struct provenance *p, const char *path, const char *hash)
{
	struct provenance_inputs *in = inputs_of(p);
	char *shown = short_path(path), *text = NULL;

	if (in && shown)
		text = memory_format(
			"%s%s%s\t%s", in->text ? in->text : "", in->text ? "\n" : "", shown, hash);
	free(shown);
	if (!text)
		return STATUS_SYSTEM;
	free(in->text);
	in->text = text;
	return 0;
}

static int read_link(struct h5 *f, int i, struct link *link)
{
	char **names;
	int count;

	TRY(provenance_attributes(f, i, &names, &count));
	link->list = memory_new(count, sizeof(*link->list));
	for (int k = 0; link->list && k < count; k++) {
		struct attribute *a = &link->list[link->count++];
		int status = provenance_get(f, i, names[k], &a->text);

		a->name = memory_string(names[k]);
		if (status || !a->name) {
			free(names);
			return status ? status : STATUS_SYSTEM;
		}
	}
	free(names);
	return link->list ? 0 : STATUS_SYSTEM;
}

static int read_chain(struct provenance *p, struct h5 *f)
{
	struct provenance_inputs *in = inputs_of(p);
	int count;

	if (!in)
		return STATUS_SYSTEM;
	if (in->chained)
		return 0;
	in->chained = 1;
	TRY(provenance_links(f, &count));
	in->chain = memory_new(count + 1, sizeof(*in->chain));
	if (!in->chain)
		return STATUS_SYSTEM;
	for (; in->count < count; in->count++)
		TRY(read_link(f, in->count, &in->chain[in->count]));
	return 0;
}

int provenance_input(struct provenance *p, struct h5 *in)
{
	char hash[80];

	if (p->off)
		return 0;
	TRY(h5_content_hash(in, hash));
	TRY(read_chain(p, in));
	return add_input(p, h5_path(in), hash);
}

int provenance_file(struct provenance *p, const char *path)
{
	char hash[80];

	if (p->off)
		return 0;
	TRY(file_hash(path, hash));
	return add_input(p, path, hash);
}

int provenance_note(struct provenance *p, const char *path, const char *hash)
{
	return p->off ? 0 : add_input(p, path, hash);
}

/* A word as a shell would take it, appended. */
static void put_word(FILE *f, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_-+=./,:@%~";

	if (word[0] && !word[strspn(word, plain)]) {
		fputs(word, f);
		return;
	}
	putc('\'', f);
	for (; *word; word++)
		if (*word == '\'')
			fputs("'\\''", f);
		else
			putc(*word, f);
	putc('\'', f);
}

/* The command, its paths shortened. */
static char *command_text(const struct provenance *p)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	put_word(f, p->tool ? p->tool : "");
	for (int i = 1; i < p->argc; i++) {
		const char *word = p->argv[i], *value = strchr(word, '=');
		char *path, *whole = NULL;

		/* --option=/path */
		value = word[0] == '-' && value && value[1] == '/' ? value + 1 : word;
		path = short_path(value);
		if (path)
			whole = memory_format("%.*s%s", (int)(value - word), word, path);
		putc(' ', f);
		put_word(f, whole ? whole : "?");
		free(path);
		free(whole);
	}
	if (fclose(f)) {
		free(text);
		text = NULL;
	}
	return text;
}

static int put_number(struct h5 *out, hid_t id, const char *name, const char *format, double value)
{
	char text[64];

	snprintf(text, sizeof(text), format, value);
	return h5_attr_put(out, id, name, text);
}

static int put_link(const struct provenance *p, struct h5 *out, hid_t id)
{
	char *command = command_text(p);
	int status = command ? 0 : error(STATUS_SYSTEM, "out of memory");

	if (!status)
		status = h5_attr_put(out, id, "tool", p->tool ? p->tool : "");
	if (!status)
		status = h5_attr_put(out, id, "version", p->version ? p->version : "");
	if (!status)
		status = h5_attr_put(out, id, "argv", command);
	free(command);
	TRY(status);
	if (p->settings)
		TRY(h5_attr_put(out, id, "settings", p->settings));
	if (p->inputs && p->inputs->text)
		TRY(h5_attr_put(out, id, "inputs", p->inputs->text));
	if (p->device)
		TRY(h5_attr_put(out, id, "device", p->device));
	if (p->threads > 0)
		TRY(put_number(out, id, "threads", "%.0f", p->threads));
	if (p->blas)
		TRY(h5_attr_put(out, id, "blas", p->blas));
	TRY(h5_attr_put(out, id, "hardware", hardware_name()));
	TRY(put_number(out, id, "seconds", "%.3f", p->seconds));
	if (p->meter && p->meter_from >= 0) {
		double joules = p->meter() - p->meter_from;

		if (joules >= 0)
			TRY(put_number(out, id, "energy", "%.3f", joules));
	}
	return 0;
}

/* A group without time stamps, its attributes in order. */
static hid_t create_group(struct h5 *out, const char *name)
{
	unsigned order = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
	hid_t create = H5Pcreate(H5P_GROUP_CREATE), id = -1;

	if (create >= 0 && H5Pset_obj_track_times(create, 0) >= 0 &&
		H5Pset_link_creation_order(create, order) >= 0 &&
		H5Pset_attr_creation_order(create, order) >= 0)
		id = H5Gcreate2(out->file, name, H5P_DEFAULT, create, H5P_DEFAULT);
	H5Pclose(create);
	return id;
}

/* link NULL: the new one. */
static int write_link(const struct provenance *p, struct h5 *out, int i, const struct link *link)
{
	char name[40];
	hid_t id;
	int status = 0;

	snprintf(name, sizeof(name), "/provenance/%04d", i + 1);
	id = create_group(out, name);
	if (id < 0)
		return h5_failed(out, STATUS_IO, "provenance cannot be written");
	for (int k = 0; link && k < link->count && !status; k++)
		status = h5_attr_put(out, id, link->list[k].name, link->list[k].text);
	if (!link)
		status = put_link(p, out, id);
	H5Gclose(id);
	return status;
}

int provenance_write(const struct provenance *p, struct h5 *out)
{
	int count = p->inputs ? p->inputs->count : 0;
	hid_t id;

	if (p->off)
		return 0;
	if (count >= LINKS_MAX)
		return h5_error(out, STATUS_DATA, "a chain of provenance of %d links", count);
	id = create_group(out, "/provenance");
	if (id < 0)
		return h5_failed(out, STATUS_IO, "provenance cannot be written");
	H5Gclose(id);
	for (int i = 0; i < count; i++)
		TRY(write_link(p, out, i, &p->inputs->chain[i]));
	return write_link(p, out, count, NULL);
}

int provenance_commit(const struct provenance *p, struct h5 **out, int status)
{
	if (!status)
		status = provenance_write(p, *out);
	if (!status)
		return h5_commit(out);
	h5_close(out);
	return status;
}

void provenance_release(struct provenance *p)
{
	struct provenance_inputs *in = p->inputs;

	p->inputs = NULL;
	free(p->settings);
	p->settings = NULL;
	if (!in)
		return;
	/* a link whose reading failed lies behind the last counted one */
	for (int i = 0; in->chain && i <= in->count && (i < in->count || in->chain[i].list); i++) {
		for (int k = 0; k < in->chain[i].count; k++) {
			free(in->chain[i].list[k].name);
			free(in->chain[i].list[k].text);
		}
		free(in->chain[i].list);
	}
	free(in->chain);
	free(in->text);
	free(in);
}
