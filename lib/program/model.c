#include "lib/program/model.h"
#include "lib/base/error.h"
#include "lib/base/memory.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define PAD 16 /* elements */

struct model *model_new(void)
{
	return memory_new(1, sizeof(struct model));
}

void model_free(struct model *m)
{
	if (!m)
		return;
	for (int i = 0; i < m->count; i++) {
		free(m->params[i]->name);
		free(m->params[i]);
	}
	free(m->params);
	if (m->device) {
		m->device->release(m->data);
		m->device->release(m->grad);
		m->device->release(m->buffer);
		m->device->release(m->stat);
		m->device->release(m->half);
	}
	free(m);
}

static struct param *param_new(struct model *m, const char *name)
{
	struct param **grown, *p;

	if (m->count == m->room) {
		grown = memory_grow(m->params, m->room + 256, sizeof(*grown));
		if (!grown)
			return NULL;
		m->params = grown;
		m->room += 256;
	}
	p = memory_new(1, sizeof(*p));
	if (p && !(p->name = memory_string(name))) {
		free(p);
		p = NULL;
	}
	return p;
}

struct param *model_param(
	struct model *m, unsigned flags, enum init init, double a, const char *name, int dims, ...)
{
	static struct param none = {.name = (char *)"", .dims = 1, .shape = {1}, .count = 1};
	int64_t *size = flags & PARAM_BUFFER ? &m->buffer_size : &m->size;
	struct param *p = param_new(m, name);
	va_list ap;

	if (!p) {
		m->failed = STATUS_SYSTEM;
		return &none;
	}
	p->dims = dims;
	p->count = 1;
	va_start(ap, dims);
	for (int i = 0; i < dims; i++) {
		p->shape[i] = va_arg(ap, int64_t);
		p->count *= p->shape[i];
	}
	va_end(ap);
	p->model = m;
	p->flags = flags;
	p->group = m->group;
	p->init = init;
	p->a = a;
	p->offset = *size;
	*size += (p->count + PAD - 1) / PAD * PAD;
	m->params[m->count++] = p;
	return p;
}

struct param *model_find(const struct model *m, const char *name)
{
	for (int i = 0; i < m->count; i++)
		if (!strcmp(m->params[i]->name, name))
			return m->params[i];
	return NULL;
}

int64_t model_parameters(const struct model *m, int group)
{
	int64_t n = 0;

	for (int i = 0; i < m->count; i++)
		if (!(m->params[i]->flags & PARAM_BUFFER) &&
			(group < 0 || m->params[i]->group == group))
			n += m->params[i]->count;
	return n;
}

size_t model_bytes(const struct model *m, const struct device *device, int with_gradients)
{
	size_t blocks = (size_t)(m->size + m->buffer_size) * sizeof(real);

	return blocks * (with_gradients ? 2 : 1) +
	       (device->half ? (size_t)m->size * type_size(TYPE_BF16) : 0);
}

void model_freeze(struct model *m, int group, int frozen)
{
	for (int i = 0; i < m->count; i++)
		if (m->params[i]->group == group) {
			m->params[i]->flags &= ~PARAM_FROZEN;
			m->params[i]->flags |= frozen ? PARAM_FROZEN : 0;
		}
}

int model_allocate(struct model *m, const struct device *device, int with_gradients)
{
	if (m->failed)
		return m->failed;
	m->device = device;
	m->data = device->alloc(m->size * sizeof(real));
	m->buffer = device->alloc(m->buffer_size * sizeof(real));
	if (!m->data || !m->buffer)
		return STATUS_SYSTEM;
	if (device->half) {
		m->half = device->alloc(m->size * type_size(TYPE_BF16));
		if (!m->half)
			return STATUS_SYSTEM;
	}
	m->half_stale = 1;
	if (with_gradients) {
		m->grad = device->alloc(m->size * sizeof(real));
		m->stat = device->alloc(m->buffer_size * sizeof(real));
		if (!m->grad || !m->stat)
			return STATUS_SYSTEM;
	}
	for (int i = 0; i < m->count; i++) {
		struct param *p = m->params[i];
		int buffer = (p->flags & PARAM_BUFFER) != 0;

		p->data = (buffer ? m->buffer : m->data) + p->offset;
		p->grad = !with_gradients ? NULL : (buffer ? m->stat : m->grad) + p->offset;
	}
	return 0;
}

int model_init(struct model *m, int group, uint64_t seed)
{
	for (int i = 0; i < m->count; i++) {
		struct param *p = m->params[i];
		real *host;

		if (group >= 0 && p->group != group)
			continue;
		host = memory_new(p->count, sizeof(*host));
		if (!host)
			return STATUS_SYSTEM;
		param_init(p, seed, host);
		param_put(m, p, host);
		free(host);
	}
	return 0;
}

void param_get(const struct model *m, const struct param *p, real *host)
{
	m->device->get(host, p->data, p->count * sizeof(real));
}

void param_put(struct model *m, struct param *p, const real *host)
{
	m->device->put(p->data, host, p->count * sizeof(real));
	m->half_stale = 1;
}

void model_halve(struct model *m)
{
	m->device->halve(m->half, m->data, m->size);
	m->half_stale = 0;
}
