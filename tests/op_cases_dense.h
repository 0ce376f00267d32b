/* Cases of the ops in ops_basic.c and ops_dense.c. */
static tensor build_add(struct program *p, const int64_t *n)
{
	tensor a = case_input(p, "a", 2, n[0], n[1], 0, 0);
	tensor b = case_input(p, "b", 2, n[0], n[1], 0, 0);

	return add(p, add(p, a, b), add(p, a, a)); /* a is read three times */
}

static tensor build_mean_of_two(struct program *p, const int64_t *n)
{
	tensor a = case_input(p, "a", 2, n[0], n[1], 0, 0);

	return mean_of_two(p, a, case_input(p, "b", 2, n[0], n[1], 0, 0));
}

static const struct op_case cases_dense[] = {
	{"add", build_add, {1, 1}},
	{"add", build_add, {33, 31}},
	{"add", build_add, {257, 197}},
	{"mean_of_two", build_mean_of_two, {33, 31}},
};
