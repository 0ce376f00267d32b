/*
 * What the libraries say of themselves, and whether files in a folder can be locked: the part of
 * `make doctor` that needs a program. Prints "name<TAB>value"; exits 1 when something fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <jansson.h>
#include <omp.h>
#include <openssl/crypto.h>
#include <png.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <jpeglib.h>
#include <xxhash.h>

#define TEXT(x) #x
#define VALUE(x) TEXT(x)

/* HDF5 locks whole files; network file systems may refuse, and then HDF5 cannot open them. */
static int print_locking(const char *folder)
{
	char path[4096];
	int f, bad;

	snprintf(path, sizeof(path), "%s/.lock-XXXXXX", folder);
	f = mkstemp(path);
	bad = f < 0 || flock(f, LOCK_EX | LOCK_NB) != 0;
	printf("file locking\t%s in %s\n", bad ? strerror(errno) : "works", folder);
	if (f >= 0) {
		close(f);
		unlink(path);
	}
	return bad;
}

static const char *instruction_set(void)
{
#if defined(__x86_64__)
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
		__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
		return "x86-64-v4 (AVX-512)";
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		return "x86-64-v3 (AVX2)";
	return "x86-64, base";
#else
	return "base";
#endif
}

int main(int argc, char **argv)
{
	unsigned major, minor, release;
	int bad;

	H5get_libversion(&major, &minor, &release);
	printf("HDF5\t%u.%u.%u (headers %d.%d.%d)\n", major, minor, release, H5_VERS_MAJOR,
		H5_VERS_MINOR, H5_VERS_RELEASE);
	printf("instruction set\t%s\n", instruction_set());
	printf("OpenMP\t%d threads of %d processors\n", omp_get_max_threads(), omp_get_num_procs());
	printf("libpng\t%s\n", png_get_libpng_ver(NULL));
	printf("libjpeg\tAPI %d%s\n", JPEG_LIB_VERSION,
#ifdef LIBJPEG_TURBO_VERSION
		", turbo " VALUE(LIBJPEG_TURBO_VERSION)
#else
		", not turbo: pixels may differ from the published ones"
#endif
	);
	printf("jansson\t%s\n", JANSSON_VERSION);
	printf("OpenSSL\t%s\n", OpenSSL_version(OPENSSL_VERSION));
	printf("xxHash\t%u\n", XXH_versionNumber());
	bad = print_locking(argc > 1 ? argv[1] : ".");
	return fflush(stdout) || bad;
}
