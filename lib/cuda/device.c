/* Memory, copies, graphs, errors: the CUDA side of struct device. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/linear_cuda.h"
#include "lib/cuda/cuda.h"

cudaStream_t cuda_stream;
int cuda_multiprocessors;
const struct cuda_host *cuda_host;
enum precision cuda_precision;

static struct step *device_step;
static char failure[256];

extern const struct op_impl *const cuda_ops[];
extern void set_one_cuda(float *p);

int cuda_failed(cudaError_t e, const char *what)
{
	if (e == cudaSuccess)
		return 0;
	if (!*failure)
		snprintf(failure, sizeof(failure), "%s: %s", what, cudaGetErrorString(e));
	return 1;
}

int cuda_failed_status(int failed, const char *what, int code)
{
	if (failed && !*failure)
		snprintf(failure, sizeof(failure), "%s failed with status %d", what, code);
	return failed;
}

static size_t memory_now_free(void)
{
	size_t room = 0, all = 0;

	cudaMemGetInfo(&room, &all);
	return room;
}

static void *device_alloc(size_t bytes)
{
	void *p = NULL;
	cudaError_t e;

	bytes = bytes ? (bytes + 255) / 256 * 256 : 256;
	e = cudaMalloc(&p, bytes);
	if (e != cudaSuccess) {
		cudaGetLastError();
		cuda_host->error(STATUS_SYSTEM,
			"out of GPU memory: %.1f MiB asked for, %.1f MiB free (%s): use a smaller "
			"batch or more shards",
			bytes / 1048576.0, memory_now_free() / 1048576.0, cudaGetErrorString(e));
		return NULL;
	}
	if (cuda_failed(cudaMemsetAsync(p, 0, bytes, cuda_stream), "clearing memory"))
		return NULL;
	return p;
}

static void device_release(void *p)
{
	if (!p)
		return;
	cudaStreamSynchronize(cuda_stream);
	cudaFree(p);
}

/*
 * Pinned buffers that copies pass through in turn, so that the host goes on while earlier work is
 * still running; a buffer is taken again when its copy is done.
 */
#define STAGES 6
#define STAGE_BYTES ((size_t)8 << 20)

static struct stage {
	char *host;
	cudaEvent_t done;
} stages[STAGES];
static int next_stage;

static int stages_start(void)
{
	for (int i = 0; i < STAGES; i++)
		if (cudaMallocHost((void **)&stages[i].host, STAGE_BYTES) != cudaSuccess ||
			cudaEventCreateWithFlags(&stages[i].done, cudaEventDisableTiming) !=
				cudaSuccess)
			return cuda_host->error(STATUS_SYSTEM,
				"out of memory: %zu MiB of pinned memory asked for",
				STAGES * STAGE_BYTES >> 20);
	return 0;
}

/* The caller may reuse host when the call returns. */
static void device_put(void *to, const void *host, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += STAGE_BYTES) {
		struct stage *s = &stages[next_stage++ % STAGES];
		size_t n = bytes - at < STAGE_BYTES ? bytes - at : STAGE_BYTES;

		cuda_failed(cudaEventSynchronize(s->done), "waiting for a copy");
		memcpy(s->host, (const char *)host + at, n);
		cuda_failed(cudaMemcpyAsync((char *)to + at, s->host, n, cudaMemcpyHostToDevice,
				    cuda_stream),
			"copying to the GPU");
		cuda_failed(cudaEventRecord(s->done, cuda_stream), "recording a copy");
	}
}

static void device_get(void *host, const void *from, size_t bytes)
{
	cuda_failed(cudaMemcpyAsync(host, from, bytes, cudaMemcpyDeviceToHost, cuda_stream),
		"copying from the GPU");
	cuda_failed(cudaStreamSynchronize(cuda_stream), "waiting for the GPU");
}

static void device_zero(void *p, size_t bytes)
{
	cuda_failed(cudaMemsetAsync(p, 0, bytes, cuda_stream), "clearing memory");
}

static void device_halve(void *to, const real *from, int64_t count)
{
	cast_cuda((struct array){to, 1}, (struct array){(void *)from, 0}, count, 1);
}

#define FETCH_BYTES ((size_t)1 << 16)

static struct fetch {
	char *host;
	cudaEvent_t done;
} fetches[2];

static int fetches_start(void)
{
	for (int i = 0; i < 2; i++)
		if (cudaMallocHost((void **)&fetches[i].host, FETCH_BYTES) != cudaSuccess ||
			cudaEventCreateWithFlags(&fetches[i].done, cudaEventDisableTiming) !=
				cudaSuccess)
			return cuda_host->error(STATUS_SYSTEM, "out of pinned memory");
	return 0;
}

static void fetch(int slot, size_t at, const void *from, size_t bytes)
{
	struct fetch *f = &fetches[slot];

	if (cuda_failed_status(at + bytes > FETCH_BYTES, "fetching too much", (int)at))
		return;
	cuda_failed(cudaMemcpyAsync(f->host + at, from, bytes, cudaMemcpyDeviceToHost, cuda_stream),
		"copying from the GPU");
	cuda_failed(cudaEventRecord(f->done, cuda_stream), "recording a copy");
}

static const void *fetched(int slot)
{
	cuda_failed(cudaEventSynchronize(fetches[slot].done), "waiting for the GPU");
	return fetches[slot].host;
}

static const struct step *put_step(const struct step *host)
{
	device_put(device_step, host, sizeof(*host));
	return device_step;
}

static int capture_begin(void)
{
	return cuda_failed(cudaStreamBeginCapture(cuda_stream, cudaStreamCaptureModeThreadLocal),
		"recording a graph");
}

static void *capture_end(void)
{
	cudaGraph_t graph = NULL;
	cudaGraphExec_t made = NULL;

	if (cuda_failed(cudaStreamEndCapture(cuda_stream, &graph), "recording a graph"))
		return NULL;
	if (cuda_failed(cudaGraphInstantiate(&made, graph, 0), "making a graph"))
		made = NULL;
	cudaGraphDestroy(graph);
	return made;
}

static void graph_launch(void *graph)
{
	cuda_failed(cudaGraphLaunch(graph, cuda_stream), "launching a graph");
}

static void graph_free(void *graph)
{
	cudaStreamSynchronize(cuda_stream);
	cudaGraphExecDestroy(graph);
}

static int finish(void)
{
	cuda_failed(cudaStreamSynchronize(cuda_stream), "waiting for the GPU");
	cuda_failed(cudaGetLastError(), "a launch");
	if (!*failure)
		return 0;
	cuda_host->error(STATUS_SYSTEM, "GPU: %s", failure);
	*failure = 0;
	return STATUS_SYSTEM;
}

static int host_fits(const struct cuda_host *host)
{
	const struct cuda_host own = CUDA_HOST(0);

	return host->abi == own.abi && host->ops == own.ops && host->call == own.call &&
	       host->device == own.device && host->step == own.step;
}

static int no_device(const struct cuda_host *host, const char *what)
{
	return host->error(
		STATUS_UNAVAILABLE, "no CUDA device: %s: use --device cpu, or a GPU node", what);
}

static int choose(const struct cuda_host *host, int index, struct device *d)
{
	static char name[320];
	struct cudaDeviceProp p;
	int count = 0;
	cudaError_t e = cudaGetDeviceCount(&count);

	if (e != cudaSuccess)
		return no_device(host, cudaGetErrorString(e));
	if (index < 0 || index >= count)
		return host->error(STATUS_UNAVAILABLE,
			"no CUDA device %d: this machine has %d (cuda:0 to cuda:%d)", index, count,
			count - 1);
	e = cudaSetDevice(index);
	if (e == cudaSuccess)
		e = cudaGetDeviceProperties(&p, index);
	if (e == cudaSuccess)
		e = cudaStreamCreateWithFlags(&cuda_stream, cudaStreamNonBlocking);
	if (e != cudaSuccess)
		return no_device(host, cudaGetErrorString(e));
	cuda_multiprocessors = p.multiProcessorCount;
	set_one_cuda(NULL);
	e = cudaGetLastError();
	if (e != cudaSuccess)
		return host->error(STATUS_UNAVAILABLE,
			"%s has compute capability %d.%d, for which the CUDA library was not "
			"built: "
			"'make cuda CUDA_ARCHS=%d%d' (%s)",
			p.name, p.major, p.minor, p.major, p.minor, cudaGetErrorString(e));
	snprintf(name, sizeof(name), "cuda:%d %s", index, p.name);
	d->name = name;
	return 0;
}

__attribute__((visibility("default"))) int transmamba_cuda_count(const struct cuda_host *host)
{
	int count = 0;

	return host_fits(host) && cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

__attribute__((visibility("default"))) int transmamba_cuda_open(
	const struct cuda_host *host, int index, enum precision precision, struct device *d)
{
	if (!host_fits(host))
		return host->error(STATUS_UNAVAILABLE,
			"the CUDA library is of another version: build it again with 'make cuda'");
	cuda_host = host;
	cuda_precision = precision;
	TRY(choose(host, index, d));
	d->ops = cuda_ops;
	d->half = precision == PRECISION_BF16;
	d->alloc = device_alloc;
	d->release = device_release;
	d->put = device_put;
	d->get = device_get;
	d->zero = device_zero;
	d->set_one = set_one_cuda;
	d->halve = device_halve;
	d->step = put_step;
	d->capture_begin = capture_begin;
	d->capture_end = capture_end;
	d->graph_launch = graph_launch;
	d->graph_free = graph_free;
	d->finish = finish;
	d->memory_free = memory_now_free;
	d->fetch = fetch;
	d->fetched = fetched;
	TRY(stages_start());
	TRY(fetches_start());
	device_step = device_alloc(sizeof(*device_step));
	if (!device_step)
		return STATUS_SYSTEM;
	return gemm_start();
}
