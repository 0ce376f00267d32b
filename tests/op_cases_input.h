/* Cases of the ops in ops_input.c. */

/* Bytes, boxes (one sample in two) and mixing (none, mixup, cutmix in turn) in odd places. */
static void fill_input(struct program *p, const int64_t *n)
{
	tensor pixels = program_find(p, "pixels"), labels = program_find(p, "labels");
	tensor erase = program_find(p, "erase"), mix = program_find(p, "mix");
	int32_t *rows = calloc(erase->count + n[0], sizeof(*rows));
	uint8_t *bytes = malloc(pixels->count);
	real *mixes = calloc(mix->count, sizeof(*mixes));

	for (int64_t i = 0; i < pixels->count; i++)
		bytes[i] = (uint8_t)(i * 37 + i / 251);
	tensor_put(p, pixels, bytes);
	for (int64_t i = 0; i < n[0]; i++) {
		const int32_t box[6] = {(int32_t)(i % 3), 2, i % 2 ? 4 : 0, 3, 100 + (int32_t)i, 2};

		memcpy(rows + 6 * i, box, sizeof(box));
	}
	tensor_put(p, erase, rows);
	for (int64_t i = 0; i < n[0]; i++)
		rows[i] = (int32_t)(i % 5) - 1;
	tensor_put(p, labels, rows);
	for (int64_t i = 0; i < mix->shape[0]; i++) {
		const real row[6] = {(real)(i % 3), (real)0.7, 1, 2, (real)n[1] - 1, (real)n[1]};

		memcpy(mixes + 6 * i, row, sizeof(row));
	}
	tensor_put(p, mix, mixes);
	free(rows);
	free(bytes);
	free(mixes);
}

/* n: batch, S, shard; the targets of 7 classes are kept as "target" */
static tensor build_image_input(struct program *p, const int64_t *n)
{
	tensor pixels = case_constant(p, "pixels", TYPE_U8, 4, n[0], n[1], n[1], 3);
	tensor labels = case_constant(p, "labels", TYPE_I32, 1, n[0], 0, 0, 0);

	program_keep(p, soft_target(p, labels, 7, 0.1, n[2]), "target");
	return image_input(p, pixels, n[2]);
}

static const struct op_case cases_input[] = {
	{"image_input", build_image_input, {12, 8, 4}, fill_input},
	{"image_input", build_image_input, {6, 33, 2}, fill_input},
	{"image_input", build_image_input, {6, 64, 1}, fill_input},
};
