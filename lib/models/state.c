/* A language model's state: buffers of a model of its own, on the device and in no file. */
#include "lib/base/error.h"
#include "lib/base/memory.h"
#include "lib/models/internal.h"

#include <stdio.h>
#include <stdlib.h>

static int declare(struct network_state *s, const struct network_config *c)
{
	int64_t E = c->expand * c->dim, W = DWCONV1D_WIDTH - 1;
	char name[NETWORK_NAME + 16], layer[NETWORK_NAME];

	for (int i = 0; i < c->depth; i++) {
		network_layer_name(c, i, layer);
		snprintf(name, sizeof(name), "%s.conv_state", layer);
		s->window[i] =
			model_param(s->model, PARAM_BUFFER, INIT_ZERO, 0, name, 3, s->batch, W, E);
		snprintf(name, sizeof(name), "%s.ssm_state", layer);
		s->scan[i] = model_param(
			s->model, PARAM_BUFFER, INIT_ZERO, 0, name, 3, s->batch, E, c->state);
	}
	return s->model->failed;
}

int network_state_new(struct network_state **out, const struct network *n, int64_t batch,
	const struct device *device)
{
	struct network_state *s;
	int64_t count;
	int status = STATUS_SYSTEM;

	*out = NULL;
	if (!network_reads_tokens(&n->config))
		return error(STATUS_DATA, "%s carries no state", n->config.arch);
	count = n->config.depth * n->config.expand * n->config.dim *
		(n->config.state + DWCONV1D_WIDTH);
	if (batch < 1 || batch > INT64_MAX / 64 / count)
		return error(STATUS_DATA, "a state of %lld rows", (long long)batch);
	s = memory_new(1, sizeof(*s));
	if (!s)
		return STATUS_SYSTEM;
	s->batch = batch;
	s->model = model_new();
	if (s->model)
		status = declare(s, &n->config);
	if (!status)
		status = model_allocate(s->model, device, 0);
	if (status)
		network_state_free(s);
	else
		*out = s;
	return status;
}

void network_state_free(struct network_state *s)
{
	if (!s)
		return;
	model_free(s->model);
	free(s);
}

void network_state_clear(struct network_state *s)
{
	s->model->device->zero(s->model->buffer, s->model->buffer_size * sizeof(real));
}

int64_t network_state_count(const struct network_state *s)
{
	return s->model->buffer_size;
}

void network_state_get(const struct network_state *s, real *host)
{
	s->model->device->get(host, s->model->buffer, s->model->buffer_size * sizeof(real));
}

void network_state_put(struct network_state *s, const real *host)
{
	s->model->device->put(s->model->buffer, host, s->model->buffer_size * sizeof(real));
}
