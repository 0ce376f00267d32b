/*
 * Every case of the table: the gradient that backward gives, reference and fast form, against
 * central differences in double. Up to 40 elements of each input are perturbed. One thread: the
 * cases are small, and op_backends.c holds other numbers of threads to the same bits.
 */
#include <omp.h>
#include "tests/op_cases.h"

static double objective(struct case_run *r)
{
	double sum = 0;
	double *y = malloc(r->y->count * sizeof(*y));

	program_forward(r->p, &r->step);
	tensor_get(r->p, r->y, y);
	for (int64_t i = 0; i < r->y->count; i++)
		sum += y[i] * r->dy[i];
	free(y);
	return sum;
}

/* Largest relative error over the perturbed elements of t. */
static double input_error(struct case_run *r, tensor t, const double *grad)
{
	double *x = malloc(t->count * sizeof(*x)), worst = 0, scale = 0;
	int64_t stride = t->count > 40 ? t->count / 40 : 1;

	tensor_get(r->p, t, x);
	for (int64_t i = 0; i < t->count; i++)
		scale = fmax(scale, fabs(grad[i]));
	for (int64_t i = 0; i < t->count; i += stride) {
		double keep = x[i], h = 1e-5, up, down, e;

		x[i] = keep + h;
		tensor_put(r->p, t, x);
		up = objective(r);
		x[i] = keep - h;
		tensor_put(r->p, t, x);
		down = objective(r);
		x[i] = keep;
		tensor_put(r->p, t, x);
		e = fabs((up - down) / (2 * h) - grad[i]) / (scale + 1e-3);
		if (!(e <= worst))
			worst = e;
	}
	free(x);
	return worst;
}

static void check(const struct op_case *c, const struct device *device)
{
	double bound = c->bound ? c->bound : 1e-6;
	struct case_run r;

	if (!ok(!case_open(&r, c, device), "%s builds", case_name(c))) {
		diag("%s", error_message());
		return;
	}
	case_walk(&r);
	for (int i = 0;; i++) {
		tensor t = program_input_at(r.p, i);
		double *grad, e;

		if (!t)
			break;
		if (!(t->flags & TENSOR_GRAD) || !t->grad)
			continue;
		case_walk(&r);
		grad = malloc(t->count * sizeof(*grad));
		tensor_get_grad(r.p, t, grad);
		e = input_error(&r, t, grad);
		if (!ok(e <= bound, "%s%s: gradient of %s", device->plain ? "plain " : "",
			    case_name(c), t->name))
			diag("error %g above %g", e, bound);
		free(grad);
	}
	case_close(&r, device);
}

int main(void)
{
	omp_set_num_threads(1);
	for (size_t t = 0; t < sizeof(case_tables) / sizeof(case_tables[0]); t++)
		for (int i = 0; i < case_counts[t] && case_tables[t][i].op; i++) {
			if (case_tables[t][i].large)
				continue;
			check(&case_tables[t][i], device_cpu_plain());
			check(&case_tables[t][i], device_cpu());
		}
	return done();
}
