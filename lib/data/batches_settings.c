/* The settings of batches: what is left out, ranges, memory. */
#include "lib/base/error.h"
#include "lib/data/batches.h"

#define WORKERS_MAX 1024
#define SAMPLES_MAX 0xfffffffeLL

void batches_defaults(struct batches_settings *s)
{
	s->shards = s->shards ? s->shards : 1;
	s->repeats = s->repeats ? s->repeats : 1;
	s->shuffle = s->shuffle && s->train;
}

int batches_check(const struct dataset *d, const struct batches_settings *s)
{
	TRY(augment_check(&s->augment));
	if (s->batch < 1 || s->batch > 1 << 24 || s->shards < 1 || s->batch % s->shards)
		return error(STATUS_USAGE, "batch %lld does not deal into %lld shards",
			(long long)s->batch, (long long)s->shards);
	if (s->train && (s->augment.mixup > 0 || s->augment.cutmix > 0) && s->batch / s->shards % 2)
		return error(STATUS_USAGE,
			"%lld samples a shard: mixup and cutmix pair them: choose an even number",
			(long long)(s->batch / s->shards));
	if (s->repeats < 1 || s->repeats > 255 || (s->repeats > 1 && !s->train))
		return error(STATUS_USAGE, "repeats %lld: 1 to 255, and 1 in evaluation",
			(long long)s->repeats);
	if (s->views < 0)
		return error(STATUS_USAGE, "%lld views", (long long)s->views);
	if (s->workers < 0 || s->workers > WORKERS_MAX || s->ahead < 0 || s->ahead > 1024)
		return error(STATUS_USAGE, "%d reading threads and %d batches ahead are too many",
			s->workers, s->ahead);
	if (s->first < 0 || s->limit < 0 || s->first > d->count || s->limit > d->count - s->first ||
		d->count > SAMPLES_MAX)
		return error(STATUS_DATA, "%s: images %lld to %lld asked for, it has %lld",
			h5_path(d->file), (long long)s->first, (long long)(s->first + s->limit),
			(long long)d->count);
	return 0;
}

int64_t batches_samples(const struct batches_settings *s, int64_t samples)
{
	return s->limit ? s->limit : samples - s->first;
}

int64_t batches_memory(const struct batches_settings *s, int64_t samples)
{
	int64_t slots = s->workers ? (s->ahead ? s->ahead : 4) + 1 : 1;
	int64_t side = s->augment.size,
		row = side * side * 3 + 4 + 6 * 4 + 8 + 4 + (int64_t)sizeof(struct stored);
	int64_t workers = s->workers ? s->workers : 1;
	int64_t rand = s->train && s->augment.rand.ops ? (int64_t)randaugment_work(side, side) : 0;

	return slots * s->batch * row + 4 * batches_samples(s, samples) + workers * rand;
}
