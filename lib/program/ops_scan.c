#include "lib/program/ops.h"
#include "kernels/directions.h"
#include "kernels/dwconv1d.h"
#include "kernels/dwconv2d.h"
#include "kernels/gate.h"
#include "kernels/gate_join.h"
#include "kernels/selective_scans.h"

#include <string.h>

/* Whether t has this shape; an absent tensor fits. */
static int fits(tensor t, int dims, int64_t a, int64_t b, int64_t c, int64_t d)
{
	const int64_t shape[4] = {a, b, c, d};

	return !t || (t->dims == dims && !memcmp(t->shape, shape, dims * sizeof(*shape)));
}

static tensor misfit(struct program *p, const char *op, const char *what, tensor t, tensor x)
{
	return program_refuse(p, "%s: %s %s does not fit %s", op, what,
		shape_text(t->dims, t->shape), shape_text(x->dims, x->shape));
}

/* int32 (B, L), or absent */
static int segments_fit(tensor segments, tensor x)
{
	return fits(segments, 2, x->shape[0], x->shape[1], 0, 0) &&
	       (!segments || segments->type == TYPE_I32);
}

static tensor scan_shapes(struct program *p, const struct scan_settings *s, const tensor *in)
{
	static const char *const names[] = {
		"u", "r", "beta", "A_log", "B", "C", "D", "direction_B", "segments"};
	tensor u = in[0], A_log = in[3];
	int64_t B, L, E, N;

	if (u->dims != 3 || A_log->dims != 2)
		return misfit(p, "selective_scan", "A_log", A_log, u);
	B = u->shape[0];
	L = u->shape[1];
	E = u->shape[2];
	N = A_log->shape[1];
	const int good[] = {1, fits(in[1], 3, B, L, E, 0), fits(in[2], 1, E, 0, 0, 0),
		fits(A_log, 2, E, N, 0, 0) && N <= SCAN_STATE_MAX, fits(in[4], 3, B, L, N, 0),
		fits(in[5], 3, B, L, N, 0), fits(in[6], 1, E, 0, 0, 0),
		fits(in[7], 2, STEP_CODES, N, 0, 0), segments_fit(in[8], u)};

	for (int i = 0; i < 9; i++)
		if (!good[i])
			return misfit(p, "selective_scan", names[i], in[i], u);
	if (s->state && (!fits(s->state, 3, B, E, N, 0) || s->directions != 1 || in[8] ||
				program_mode(p) != PROGRAM_EVAL))
		return program_refuse(p,
			"selective_scan: a state is (B, E, N), of one direction without segments, "
			"and without backward");
	if (s->directions < 1 || L > INT32_MAX || (!s->order && s->directions > 1) ||
		(in[7] && !s->code))
		return program_refuse(p,
			"selective_scan: %lld directions need their order, direction_B its codes",
			(long long)s->directions);
	return NULL;
}

/* order visits every token once in each direction; codes are step codes. */
static tensor scan_tables(struct program *p, const struct scan_settings *s, int64_t L, tensor in[2])
{
	int64_t n = s->directions * L;

	for (int64_t i = 0; i < n; i++)
		if ((s->order && (s->order[i] < 0 || s->order[i] >= L)) ||
			(s->code && (s->code[i] < 0 || s->code[i] >= STEP_CODES)))
			return program_refuse(p,
				"selective_scan: order and codes must lie in [0, %lld) and [0, %d)",
				(long long)L, STEP_CODES);
	in[0] = s->order ? program_table(p, s->order, n) : NULL;
	in[1] = s->code ? program_table(p, s->code, n) : NULL;
	return NULL;
}

tensor selective_scan(struct program *p, const struct scan_settings *s, tensor u, tensor r,
	tensor beta, tensor A_log, tensor Bm, tensor C, tensor D, tensor direction_B,
	tensor segments)
{
	tensor in[12] = {u, r, beta, A_log, Bm, C, D, direction_B, segments}, y, bad;
	struct selective_scan k;

	if (program_failed(p))
		return u;
	if ((bad = scan_shapes(p, s, in)) || (bad = scan_tables(p, s, u->shape[1], in + 9)))
		return bad;
	in[11] = s->state;
	k = (struct selective_scan){u->shape[0], u->shape[1], u->shape[2], A_log->shape[1],
		s->directions, s->param_at_scan, s->merged, s->kappa, s->zoh};
	if (s->merged)
		y = program_tensor(p, TYPE_REAL, 3, u->shape);
	else
		y = program_tensor(
			p, TYPE_REAL, 4, (int64_t[]){k.batch, k.directions, k.len, k.dim});
	return program_call(p,
		&(struct call){.op = s->zoh ? OP_selective_scan_zoh : OP_selective_scan,
			.n_in = 12,
			.in = in,
			.n_out = 1,
			.out = &y,
			.params = &k,
			.reads_in = 0x7ff,
			.adds = 1 << 2 | 1 << 3 | 1 << 6 | 1 << 7},
		sizeof(k));
}

/* u, beta, A_log, D, order; then r, B, C of each scan: as adapters find them. */
enum { SCANS_FIRST = 5, SCANS_EACH = 3, SCANS_IN = SCANS_FIRST + SCANS_EACH * SCANS_MAX };

static tensor scans_shapes(struct program *p, const struct selective_scans *s, const tensor *in)
{
	static const char *const names[] = {"u", "beta", "A_log", "D"};
	static const char *const each[] = {"r", "B", "C"};
	int64_t B = s->one.batch, L = s->one.len, E = s->one.dim, N = s->one.state, K = s->count;
	const int good[] = {in[0]->dims == 3, in[1]->count == K * E,
		in[2]->count == K * E * N && N <= SCAN_STATE_MAX, in[3]->count == K * E};

	for (int i = 0; i < 4; i++)
		if (!good[i])
			return misfit(p, "selective_scans", names[i], in[i], in[0]);
	for (int i = 0; i < SCANS_EACH * K; i++) {
		tensor t = in[SCANS_FIRST + i];

		if (!fits(t, 3, B, L, i % SCANS_EACH ? N : E, 0))
			return misfit(p, "selective_scans", each[i % SCANS_EACH], t, in[0]);
	}
	return NULL;
}

static void scans_call(struct program *p, const struct selective_scans *s, tensor *in, tensor *y)
{
	struct call c = {.op = OP_selective_scans,
		.n_in = SCANS_FIRST + SCANS_EACH * (int)s->count,
		.in = in,
		.n_out = s->merged ? 1 : (int)s->count,
		.out = y,
		.params = s,
		.adds = 1 << 1 | 1 << 2 | 1 << 3};

	c.reads_in = ((uint64_t)1 << c.n_in) - 1;
	for (int k = 0; k < c.n_out; k++)
		y[k] = program_tensor(p, TYPE_REAL, 3, in[0]->shape);
	program_call(p, &c, sizeof(*s));
}

void selective_scans(struct program *p, const struct scan_settings *s, tensor u, const tensor *r,
	tensor beta, tensor A_log, const tensor *Bm, const tensor *C, tensor D, tensor *y)
{
	tensor in[SCANS_IN] = {u, beta, A_log, D}, order[2];
	struct selective_scans k = {
		{u->shape[0], u->shape[1], tensor_last(u), tensor_last(A_log), 1, 1, 1, s->kappa},
		s->directions, s->merged};

	for (int i = 0; i < (s->merged ? 1 : s->directions); i++)
		y[i] = u;
	if (program_failed(p))
		return;
	if (s->directions < 1 || s->directions > SCANS_MAX || !s->order || !s->param_at_scan ||
		s->zoh) {
		program_refuse(p,
			"selective_scans: %lld scans; %d at most, in given orders, by token, no "
			"zero-order hold",
			(long long)s->directions, SCANS_MAX);
		return;
	}
	for (int64_t i = 0; i < k.count; i++) {
		in[SCANS_FIRST + SCANS_EACH * i] = r[i];
		in[SCANS_FIRST + SCANS_EACH * i + 1] = Bm[i];
		in[SCANS_FIRST + SCANS_EACH * i + 2] = C[i];
	}
	if (scans_shapes(p, &k, in) || scan_tables(p, s, k.one.len, order))
		return;
	in[4] = order[0];
	scans_call(p, &k, in, y);
}

static tensor grid_conv(struct program *p, tensor x, int64_t height, int64_t width, tensor weight,
	tensor bias, int plain)
{
	int64_t E = tensor_last(x), k = tensor_last(weight);
	struct dwconv2d s = {x->shape[0], height, width, E, k, plain};
	const char *name = plain ? "dwconv2d" : "dwconv2d_silu";
	tensor out[2];

	if (program_failed(p))
		return x;
	if (!fits(x, 3, x->shape[0], height * width, E, 0))
		return program_refuse(p, "%s: %s is not a grid of %lld x %lld", name,
			shape_text(x->dims, x->shape), (long long)height, (long long)width);
	if (!fits(weight, 4, E, 1, k, k) || k % 2 == 0 || k > DWCONV2D_MAX)
		return misfit(p, name, "weight", weight, x);
	if (!fits(bias, 1, E, 0, 0, 0))
		return misfit(p, name, "bias", bias, x);
	out[0] = program_tensor(p, TYPE_REAL, 3, x->shape);
	out[1] = plain ? NULL : program_tensor(p, TYPE_REAL, 3, x->shape);
	return program_call(p,
		&(struct call){.op = plain ? OP_dwconv2d : OP_dwconv2d_silu,
			.n_in = 3,
			.in = (tensor[]){x, weight, bias},
			.n_out = 1,
			.n_kept = !plain,
			.out = out,
			.params = &s,
			.reads_in = 1 | 2,
			.reads_out = plain ? 0 : 2,
			.adds = 2 | 4},
		sizeof(s));
}

tensor dwconv2d_silu(
	struct program *p, tensor x, int64_t height, int64_t width, tensor weight, tensor bias)
{
	return grid_conv(p, x, height, width, weight, bias, 0);
}

tensor dwconv2d(
	struct program *p, tensor x, int64_t height, int64_t width, tensor weight, tensor bias)
{
	return grid_conv(p, x, height, width, weight, bias, 1);
}

static tensor dwconv1d(struct program *p, tensor x, tensor weight, tensor bias, int mirrored,
	tensor segments, tensor window)
{
	int64_t E = tensor_last(x);
	struct dwconv1d s = {x->shape[0], x->shape[1], E, mirrored};
	tensor out[2];

	if (program_failed(p))
		return x;
	if (x->dims != 3 || !fits(weight, 3, E, 1, DWCONV1D_WIDTH, 0))
		return misfit(p, "dwconv1d_silu", "weight", weight, x);
	if (!fits(bias, 1, E, 0, 0, 0))
		return misfit(p, "dwconv1d_silu", "bias", bias, x);
	if (!segments_fit(segments, x))
		return misfit(p, "dwconv1d_silu", "segments", segments, x);
	out[0] = program_tensor(p, TYPE_REAL, 3, x->shape);
	out[1] = program_tensor(p, TYPE_REAL, 3, x->shape);
	return program_call(p,
		&(struct call){.op = OP_dwconv1d_silu,
			.n_in = 5,
			.in = (tensor[]){x, weight, bias, segments, window},
			.n_out = 1,
			.n_kept = 1,
			.out = out,
			.params = &s,
			.reads_in = 1 | 2 | 8,
			.reads_out = 2,
			.adds = 2 | 4},
		sizeof(s));
}

tensor dwconv1d_silu(
	struct program *p, tensor x, tensor weight, tensor bias, int mirrored, tensor segments)
{
	return dwconv1d(p, x, weight, bias, mirrored, segments, NULL);
}

tensor dwconv1d_carried(struct program *p, tensor x, tensor weight, tensor bias, tensor window)
{
	if (program_failed(p))
		return x;
	if (x->dims != 3 || program_mode(p) != PROGRAM_EVAL ||
		!fits(window, 3, x->shape[0], DWCONV1D_WIDTH - 1, tensor_last(x), 0))
		return misfit(p, "dwconv1d_carried", "window", window, x);
	return dwconv1d(p, x, weight, bias, 0, NULL, window);
}

static tensor gate_call(struct program *p, tensor y, tensor y2, real scale, tensor z)
{
	int64_t B = y->shape[0], K = y->dims == 4 ? y->shape[1] : 1, E = tensor_last(y);
	int64_t L = y->dims > 1 ? y->shape[y->dims - 2] : 0;
	struct gate s = {B, K, L, E, scale};
	tensor o;

	if (program_failed(p))
		return y;
	if (y->dims < 3 || y->dims > 4 || !fits(z, 3, B, L, E, 0))
		return misfit(p, "gate", "z", z, y);
	if (y2 && (y2->dims != y->dims || memcmp(y2->shape, y->shape, sizeof(*y->shape) * y->dims)))
		return misfit(p, "gate", "y2", y2, y);
	o = program_tensor(p, TYPE_REAL, y->dims, y->shape);
	return program_call(p,
		&(struct call){.op = OP_gate,
			.n_in = 3,
			.in = (tensor[]){y, z, y2},
			.n_out = 1,
			.out = &o,
			.params = &s,
			.reads_in = 1 | 2 | 4},
		sizeof(s));
}

tensor gate(struct program *p, tensor y, tensor z)
{
	return gate_call(p, y, NULL, 1, z);
}

tensor gate_pair(struct program *p, tensor y, tensor y2, real scale, tensor z)
{
	return gate_call(p, y, y2, scale, z);
}

tensor gate_join(struct program *p, tensor a, tensor b, tensor c)
{
	struct gate_join s = {tensor_rows(a), tensor_last(a), tensor_last(b)};
	tensor y;

	if (program_failed(p))
		return a;
	if (tensor_rows(b) != s.rows || tensor_rows(c) != s.rows || s.left >= s.width ||
		tensor_last(c) != s.width - s.left)
		return program_refuse(p, "gate_join: %s and %s side by side are not as %s",
			shape_text(b->dims, b->shape), shape_text(c->dims, c->shape),
			shape_text(a->dims, a->shape));
	y = program_tensor(p, TYPE_REAL, a->dims, a->shape);
	return program_call(p,
		&(struct call){.op = OP_gate_join,
			.n_in = 3,
			.in = (tensor[]){a, b, c},
			.n_out = 1,
			.out = &y,
			.params = &s,
			.reads_in = 1 | 2 | 4},
		sizeof(s));
}

/* x (B, L, C) with o (B, K, L, C); NULL where they fit, else the refusal. */
static tensor directions_fit(struct program *p, const char *op, tensor x, tensor o)
{
	if (o->dims != 4 || !fits(x, 3, o->shape[0], o->shape[2], o->shape[3], 0))
		return misfit(p, op, "the directions' part", o, x);
	return NULL;
}

static struct directions directions_of(tensor o)
{
	return (struct directions){.batch = o->shape[0],
		.directions = o->shape[1],
		.len = o->shape[2],
		.dim = o->shape[3]};
}

static tensor directions_call(
	struct program *p, enum op_id op, tensor x, tensor o, tensor y, const struct directions *s)
{
	return program_call(p,
		&(struct call){.op = op,
			.n_in = 2,
			.in = (tensor[]){x, o},
			.n_out = 1,
			.out = &y,
			.params = s},
		sizeof(*s));
}

tensor merge_directions(struct program *p, tensor x, tensor o, real rate, int layer)
{
	struct directions s;
	tensor bad;

	if (program_failed(p))
		return x;
	if ((bad = directions_fit(p, "merge_directions", x, o)))
		return bad;
	if (!(rate >= 0 && rate < 1))
		return program_refuse(
			p, "merge_directions: drop path rate %g is not in [0, 1)", (double)rate);
	s = directions_of(o);
	s.rate = program_mode(p) == PROGRAM_TRAIN ? rate : 0;
	s.layer = layer;
	return directions_call(
		p, OP_merge_directions, x, o, program_tensor(p, TYPE_REAL, 3, x->shape), &s);
}

tensor tap_resid(struct program *p, tensor x, tensor o, real kappa)
{
	struct directions s;
	tensor bad;

	if (program_failed(p))
		return x;
	if ((bad = directions_fit(p, "tap_resid", x, o)))
		return bad;
	s = directions_of(o);
	s.kappa = kappa;
	return directions_call(
		p, OP_tap_resid, x, o, program_tensor(p, TYPE_REAL, 4, o->shape), &s);
}

tensor mean_directions(struct program *p, tensor x)
{
	struct directions s;
	tensor m;

	if (program_failed(p))
		return x;
	if (x->dims != 4)
		return program_refuse(p, "mean_directions: %s is not (B, K, L, C)",
			shape_text(x->dims, x->shape));
	s = directions_of(x);
	m = program_tensor(p, TYPE_REAL, 4, (int64_t[]){s.batch, 1, s.len, s.dim});
	return program_call(p,
		&(struct call){.op = OP_mean_directions,
			.n_in = 1,
			.in = &x,
			.n_out = 1,
			.out = &m,
			.params = &s},
		sizeof(s));
}
