#include "kernels/linear.h"

void linear_forward(const struct linear *p, real *y, const real *x, const real *W, const real *b)
{
	for (int64_t r = 0; r < p->rows; r++)
		for (int64_t o = 0; o < p->out; o++) {
			real sum = b ? p->bias_scale * b[o] : 0;

			for (int64_t i = 0; i < p->in; i++)
				sum += x[r * p->in + i] * W[o * p->in + i];
			y[r * p->out + o] = sum;
		}
}

static void input_back(const struct linear *p, real *dx, int acc, const real *dy, const real *W)
{
	for (int64_t r = 0; r < p->rows; r++)
		for (int64_t i = 0; i < p->in; i++) {
			real sum = 0;

			for (int64_t o = 0; o < p->out; o++)
				sum += dy[r * p->out + o] * W[o * p->in + i];
			dx[r * p->in + i] = acc ? dx[r * p->in + i] + sum : sum;
		}
}

void linear_backward(const struct linear *p, real *dx, int acc_x, real *dW, real *db,
	const real *dy, const real *x, const real *W)
{
	if (dx)
		input_back(p, dx, acc_x, dy, W);
	for (int64_t o = 0; o < p->out; o++) {
		for (int64_t i = 0; dW && i < p->in; i++) {
			real sum = 0;

			for (int64_t r = 0; r < p->rows; r++)
				sum += dy[r * p->out + o] * x[r * p->in + i];
			dW[o * p->in + i] += sum;
		}
		if (db) {
			real sum = 0;

			for (int64_t r = 0; r < p->rows; r++)
				sum += dy[r * p->out + o];
			db[o] += p->bias_scale * sum;
		}
	}
}
