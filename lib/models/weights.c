#include "lib/models/weights.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/models/language.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTED 8

int weights_config(struct h5 *f, struct network_config *c)
{
	char *text;
	int status;

	TRY(h5_get_text(f, "config", &text));
	status = error_context(network_config_read(c, text), "%s", h5_path(f));
	free(text);
	return status;
}

int weights_save_config(const struct network_config *c, struct h5 *f)
{
	char *text = network_config_text(c);
	int status = text ? h5_put_text(f, "arch", c->arch) : STATUS_SYSTEM;

	if (!status)
		status = h5_put_text(f, "config", text);
	free(text);
	return status;
}

static void full_name(char name[256], const char *prefix, const struct param *p)
{
	snprintf(name, 256, "%s%s", prefix, p->name);
}

int weights_put(const struct model *m, const struct param *p, struct h5 *f, const char *prefix)
{
	char name[256];
	real *host;
	int status;

	full_name(name, prefix, p);
	host = memory_new(p->count, sizeof(*host));
	if (!host)
		return STATUS_SYSTEM;
	param_get(m, p, host);
	if (p->flags & PARAM_COUNTER) {
		int64_t steps = (int64_t)host[0];

		status = h5_put(f, name, H5_I64, p->dims, p->shape, &steps);
	} else {
		status = h5_put(f, name, H5_REAL, p->dims, p->shape, host);
	}
	free(host);
	return status;
}

static int all_finite(struct h5 *f, const char *name, const real *x, int64_t count)
{
	for (int64_t i = 0; i < count; i++)
		if (!isfinite(x[i]))
			return error(STATUS_NUMBERS, "%s: %s is not finite (element %lld)",
				h5_path(f), name, (long long)i);
	return 0;
}

int weights_get(struct model *m, struct param *p, struct h5 *f, const char *prefix)
{
	char name[256];
	int64_t steps = 0;
	real *host;
	int status;

	full_name(name, prefix, p);
	host = memory_new(p->count, sizeof(*host));
	if (!host)
		return STATUS_SYSTEM;
	if (p->flags & PARAM_COUNTER) {
		status = h5_get(f, name, H5_I64, p->dims, p->shape, &steps);
		host[0] = (real)steps;
	} else {
		status = h5_get(f, name, H5_REAL, p->dims, p->shape, host);
	}
	if (!status)
		status = all_finite(f, name, host, p->count);
	if (!status)
		param_put(m, p, host);
	free(host);
	return status;
}

/* A message that grows by one difference at a time. */
struct differences {
	char text[1600];
	size_t used;
	int count;
};

__attribute__((format(printf, 2, 3))) static void differ(
	struct differences *d, const char *format, ...)
{
	va_list ap;

	if (d->count++ >= LISTED || d->used >= sizeof(d->text) - 1)
		return;
	if (d->count > 1)
		d->used += snprintf(d->text + d->used, sizeof(d->text) - d->used, "; ");
	if (d->used >= sizeof(d->text))
		return;
	va_start(ap, format);
	d->used += vsnprintf(d->text + d->used, sizeof(d->text) - d->used, format, ap);
	va_end(ap);
}

static void compare(struct differences *d, struct h5 *f, const char *prefix, const struct param *p)
{
	int64_t shape[H5_DIMS];
	enum h5_type type;
	char name[256];
	int dims;

	full_name(name, prefix, p);
	if (!h5_has(f, name))
		differ(d, "%s %s is missing", name, shape_text(p->dims, p->shape));
	else if (h5_shape(f, name, &type, &dims, shape))
		differ(d, "%s cannot be read", name);
	else if (dims != p->dims || memcmp(shape, p->shape, dims * sizeof(*shape)))
		differ(d, "%s is %s here, %s wanted", name, shape_text(dims, shape),
			shape_text(p->dims, p->shape));
}

static void compare_all(struct differences *d, const struct model *m, int first, int last,
	struct h5 *f, const char *prefix)
{
	for (int i = 0; i < m->count; i++)
		if (m->params[i]->group >= first && m->params[i]->group <= last)
			compare(d, f, prefix, m->params[i]);
}

static int superfluous(
	struct differences *d, const struct network *n, struct h5 *f, const char *prefix)
{
	size_t skip = strlen(prefix);
	char **names;
	int count;

	TRY(h5_names(f, &names, &count));
	for (int i = 0; i < count; i++) {
		const struct param *p;

		if (strncmp(names[i], prefix, skip))
			continue;
		p = model_find(n->model, names[i] + skip);
		if (!p)
			differ(d, "%s is not part of %s", names[i], n->config.arch);
	}
	free(names);
	return 0;
}

static int refuse(const struct differences *d, struct h5 *f, const char *what)
{
	return d->count ? error(STATUS_DATA, "%s does not hold %s: %s%s", h5_path(f), what, d->text,
				  d->count > LISTED ? "; and more" : "")
			: 0;
}

int weights_match(const struct model *m, int first, int last, struct h5 *f, const char *prefix,
	const char *what)
{
	struct differences d = {.count = 0};

	compare_all(&d, m, first, last, f, prefix);
	return refuse(&d, f, what);
}

int networks_match(
	const struct network *a, const char *here, const struct network *b, const char *there)
{
	struct differences d = {.count = 0};

	for (int i = 0; i < a->model->count; i++) {
		const struct param *p = a->model->params[i], *q = model_find(b->model, p->name);

		if (!q)
			differ(&d, "%s %s is missing in %s", p->name, shape_text(p->dims, p->shape),
				there);
		else if (p->dims != q->dims ||
			 memcmp(p->shape, q->shape, p->dims * sizeof(*p->shape)))
			differ(&d, "%s is %s in %s, %s in %s", p->name,
				shape_text(p->dims, p->shape), here, shape_text(q->dims, q->shape),
				there);
	}
	for (int i = 0; i < b->model->count; i++) {
		const struct param *q = b->model->params[i];

		if (!model_find(a->model, q->name))
			differ(&d, "%s %s is missing in %s", q->name, shape_text(q->dims, q->shape),
				here);
	}
	return d.count ? error(STATUS_DATA, "%s%s", d.text, d.count > LISTED ? "; and more" : "")
		       : 0;
}

int weights_check_classes(
	const char *weights, const struct network_config *c, const char *data, int64_t classes)
{
	int64_t here[2] = {c->classes, network_out_dim(c)}, wanted[2] = {classes, here[1]};

	if (c->classes == classes)
		return 0;
	return error(STATUS_DATA,
		"%s: its head is %s, %s wanted for the %lld classes of %s: make it with --classes "
		"%lld",
		weights, shape_text(2, here), shape_text(2, wanted), (long long)classes, data,
		(long long)classes);
}

int weights_load(struct network *n, struct h5 *f, const char *prefix)
{
	struct differences d = {.count = 0};

	compare_all(&d, n->model, 0, 0, f, prefix);
	TRY(superfluous(&d, n, f, prefix));
	TRY(refuse(&d, f, n->config.arch));
	for (int i = 0; i < n->model->count; i++)
		if (n->model->params[i]->group == 0)
			TRY(weights_get(n->model, n->model->params[i], f, prefix));
	return 0;
}

int weights_save(const struct network *n, struct h5 *f)
{
	TRY(weights_save_config(&n->config, f));
	for (int i = 0; i < n->model->count; i++)
		if (n->model->params[i]->group == 0)
			TRY(weights_put(n->model, n->model->params[i], f, ""));
	return 0;
}

int weights_write(const struct network *n, const char *path, const struct provenance *p,
	const struct h5_guard *guard)
{
	struct h5 *f;

	TRY(h5_create(&f, path, "weights"));
	if (guard)
		h5_set_guard(f, guard);
	return provenance_commit(p, &f, weights_save(n, f));
}

static int make(struct network **n, struct h5 *f, const struct weights_source *s,
	const struct device *device)
{
	struct network_config c;

	TRY(weights_config(f, &c));
	if (network_reads_tokens(&c) != s->tokens)
		return error(STATUS_DATA, "%s: %s reads %s", h5_path(f), c.arch,
			s->tokens ? "pictures, not tokens" : "tokens, not pictures");
	if (s->adjust)
		s->adjust(&c, s->data);
	TRY(error_context(network_new(n, &c, NULL), "%s", h5_path(f)));
	TRY(model_allocate((*n)->model, device, s->with_gradients));
	return weights_load(*n, f, "");
}

int weights_open(struct network **n, struct h5 **f, const struct weights_source *s,
	const struct device *device)
{
	int status;

	*n = NULL;
	TRY(h5_open(f, s->path, "weights"));
	status = make(n, *f, s, device);
	if (status) {
		network_free(*n);
		*n = NULL;
		h5_close(f);
	}
	return status;
}
