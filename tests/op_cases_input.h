/* Cases of the ops in ops_input.c. */
static const struct op_case cases_input[] = {{0}};
