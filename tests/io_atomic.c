/*
 * Outputs appear whole or not at all; equal content gives equal bytes and one hash in any order of
 * writing; damage is found.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/error.h"
#include "lib/io/check.h"
#include "lib/io/h5.h"
#include "lib/io/provenance.h"
#include "tests/folder.h"
#include "tests/tap.h"

/* Entries of the folder. */
static int entries(void)
{
	DIR *d = opendir(test_folder());
	int n = 0;

	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static long file_size(const char *path)
{
	struct stat st;

	return stat(path, &st) ? -1 : (long)st.st_size;
}

static int same_bytes(const char *a, const char *b)
{
	FILE *x = fopen(a, "rb"), *y = fopen(b, "rb");
	int c, same = x && y;

	while (same && (c = getc(x)) != EOF)
		same = c == getc(y);
	same = same && getc(y) == EOF;
	if (x)
		fclose(x);
	if (y)
		fclose(y);
	return same;
}

enum { ROWS = 300, WIDTH = 50 };

/* order: 0 rows in order, 1 from the end, 2 datasets exchanged too */
static int write_case(struct h5 *f, int order)
{
	static const int64_t shape[2] = {ROWS, WIDTH};
	static const char *const names[2] = {"zebra", "apple"};
	const struct h5_layout layout = {.chunk_rows = 40, .deflate = 1};
	int32_t labels[ROWS];
	int64_t rows = ROWS;
	float row[WIDTH];

	for (int k = 0; k < 2; k++)
		TRY(h5_dataset(f, names[order == 2 ? 1 - k : k], H5_F32, 2, shape, &layout));
	for (int i = 0; i < ROWS; i++) {
		int at = order ? ROWS - 1 - i : i;

		for (int k = 0; k < 2; k++) {
			for (int j = 0; j < WIDTH; j++)
				row[j] = (float)(k * 7 + at * WIDTH + j);
			TRY(h5_write(f, names[k], H5_F32, at, 1, row));
		}
		labels[i] = i % 10;
	}
	TRY(h5_put_strings(f, "words", 2, names));
	TRY(h5_put(f, "labels", H5_I32, 1, &rows, labels));
	row[0] = 3.5f;
	return h5_put(f, "step", H5_F32, 0, NULL, row);
}

static int write_file(const char *path, int order)
{
	struct h5 *f;

	TRY(h5_create(&f, path, "weights"));
	h5_put_text(f, "config", "{}");
	if (write_case(f, order)) {
		h5_close(&f);
		return STATUS_BUG;
	}
	return h5_commit(&f);
}

static void hash_of(const char *path, char hash[80])
{
	struct h5 *f;

	strcpy(hash, "none");
	if (h5_open(&f, path, NULL))
		return;
	h5_content_hash(f, hash);
	h5_close(&f);
}

static void hashes(void)
{
	char a[80], b[80], c[80];
	struct h5 *f;

	ok(!write_file(in_folder("a.h5"), 0) && !write_file(in_folder("a2.h5"), 0) &&
			!write_file(in_folder("b.h5"), 1) && !write_file(in_folder("c.h5"), 2),
		"four files written");
	ok(same_bytes(in_folder("a.h5"), in_folder("a2.h5")), "equal content, equal bytes");
	hash_of(in_folder("a.h5"), a);
	hash_of(in_folder("b.h5"), b);
	hash_of(in_folder("c.h5"), c);
	ok(strlen(a) == 71 && !strcmp(a, b) && !strcmp(a, c),
		"the hash does not depend on the order of writing");
	ok(!h5_open(&f, in_folder("c.h5"), NULL) && !h5_hash_tensors(f, b) && !strcmp(a, b),
		"nor on being computed while writing");
	h5_close(&f);
}

/* As hashed by hand: sha256 of "x\0u8\0(3)\0" and of sha256 of 01 02 03. */
static void known_hash(void)
{
	const uint8_t x[3] = {1, 2, 3};
	const int64_t n = 3;
	char hash[80];
	struct h5 *f;
	int status = h5_create(&f, in_folder("x.h5"), "weights");

	status = status ? status : h5_put(f, "x", H5_U8, 1, &n, x);
	status = status ? status : h5_commit(&f);
	hash_of(in_folder("x.h5"), hash);
	ok(!status && !strcmp(hash,
			      "sha256:"
			      "b0a33d88b0b6322f1b19f0b324136db71a646bd6aac384c3b3e045d8a7f33948"),
		"a hash computed by another program");
	diag("%s", hash);
}

static void atomic(void)
{
	const char *path = in_folder("old.h5");
	struct h5 *f;
	char before[80], after[80];
	int status, n;

	write_file(path, 0);
	hash_of(path, before);
	n = entries();
	status = h5_create(&f, path, "weights");
	status = status ? status : write_case(f, 1);
	ok(!status && entries() == n + 1, "a temporary lies beside the target");
	hash_of(path, after);
	ok(!strcmp(before, after), "the target is the old one until commit");
	h5_close(&f);
	ok(entries() == n, "closing without commit leaves nothing");

	ok(h5_create(&f, in_folder("a.h5/x.h5"), "weights") == STATUS_CANTCREATE && !f,
		"below a file: 73");
	diag("%s", error_message());
	ok(h5_create(&f, in_folder("none/x.h5"), "weights") == STATUS_CANTCREATE,
		"in no folder: 73");
	ok(h5_create(&f, test_folder(), "weights") == STATUS_CANTCREATE, "a folder: 73");
	ok(h5_create(&f, "/dev/full", "weights") == 0 && !write_case(f, 0) &&
			h5_commit(&f) == STATUS_IO && !f,
		"/dev/full: 74");
	diag("%s", error_message());
	chmod(path, 0640);
	symlink("old.h5", in_folder("link.h5"));
	ok(!write_file(in_folder("link.h5"), 2) && file_size(path) > 0, "through a link");
	struct stat st;
	ok(!lstat(in_folder("link.h5"), &st) && S_ISLNK(st.st_mode), "the link stays");
	ok(!stat(path, &st) && (st.st_mode & 0777) == 0640, "so does the mode");
	ok(entries() == n + 1, "nothing else was left");
}

/* A file that may grow to `limit` bytes; then the next file must still work. */
static void full(long limit)
{
	struct rlimit old, now;
	const char *path = in_folder("full.h5");
	struct h5 *f;
	int status, n = entries();

	getrlimit(RLIMIT_FSIZE, &old);
	now = old;
	now.rlim_cur = limit;
	setrlimit(RLIMIT_FSIZE, &now);
	status = h5_create(&f, path, "weights");
	if (!status) {
		write_case(f, 0); /* its failure may be ignored: commit knows */
		status = h5_commit(&f);
	}
	setrlimit(RLIMIT_FSIZE, &old);
	ok((status == STATUS_IO || status == STATUS_CANTCREATE) && !f && entries() == n,
		"a disk full at %ld bytes: %d and nothing left", limit, status);
	diag("%s", error_message());
	ok(!write_file(path, 0), "then there is room again");
	unlink(path);
}

static void stale(void)
{
	const char *path = in_folder("killed.h5");
	int n = entries(), status, ready[2];
	char byte;
	pid_t child = fork();
	struct h5 *f;

	if (pipe(ready))
		return;

	if (child == 0) {
		if (!h5_create(&f, path, "weights") && !write_case(f, 0))
			raise(SIGKILL);
		_exit(1);
	}
	waitpid(child, &status, 0);
	ok(WIFSIGNALED(status) && entries() == n + 1, "a killed writer leaves its temporary");
	child = fork();
	if (child == 0) { /* a living writer of the same target */
		h5_create(&f, path, "weights");
		write(ready[1], "", 1);
		pause();
		_exit(0);
	}
	ok(read(ready[0], &byte, 1) == 1, "another writer has begun");
	ok(!write_file(path, 0), "a third one writes");
	ok(entries() == n + 2, "the dead one's temporary is gone, the living one's stays");
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	ok(!write_file(path, 0) && entries() == n + 1, "then that one goes too");
}

static void holes(void)
{
	static const int64_t shape[2] = {10, 3};
	float rows[9] = {0};
	struct h5 *f;
	int status = h5_create(&f, in_folder("holes.h5"), "weights");

	status = status ? status : h5_dataset(f, "x", H5_F32, 2, shape, NULL);
	status = status ? status : h5_write(f, "x", H5_F32, 2, 3, rows);
	ok(!status && h5_commit(&f) == STATUS_BUG,
		"rows that were never written are not committed");
	diag("%s", error_message());
}

/* Opened and read to the end: 0 only when all is well. */
static int whole(const char *path)
{
	struct h5 *f;
	int status = h5_open(&f, path, "weights");

	if (!status)
		status = check_whole(f);
	h5_close(&f);
	return status;
}

/* Copies `size` bytes with one of them changed; at < 0: none. */
static void copy(const char *from, const char *to, long size, long at, int change)
{
	FILE *x = fopen(from, "rb"), *y = fopen(to, "wb");

	for (long i = 0; i < size; i++) {
		int c = getc(x);

		putc(i == at ? c ^ change : c, y);
	}
	fclose(x);
	fclose(y);
}

static void truncated(void)
{
	const char *path = in_folder("a.h5"), *cut = in_folder("cut.h5");
	long size = file_size(path);
	int found = 0;

	for (int i = 0; i < 16; i++) {
		copy(path, cut, size * i / 16, -1, 0);
		found += whole(cut) == STATUS_DATA;
	}
	copy(path, cut, size - 1, -1, 0);
	found += whole(cut) == STATUS_DATA;
	ok(found == 17, "cut at every sixteenth, and by one byte: found %d of 17", found);
	copy(path, cut, size, -1, 0);
	ok(whole(cut) == 0, "an unchanged copy is whole");
}

/* Flips are found, or change nothing that is read: then the tensors' hash is the old one. */
static void flipped(void)
{
	const char *path = in_folder("a.h5"), *bad = in_folder("bad.h5");
	long size = file_size(path);
	char old[80], now[80];
	int found = 0, harmless = 0, missed = 0;

	hash_of(path, old);
	for (int i = 0; i < 200; i++) {
		struct h5 *f;

		copy(path, bad, size, (long)((double)(i + 0.37) / 200 * (double)size), 1 << i % 8);
		if (whole(bad)) {
			found++;
			continue;
		}
		now[0] = 0;
		if (!h5_open(&f, bad, NULL))
			h5_hash_tensors(f, now);
		h5_close(&f);
		if (strcmp(old, now))
			missed++;
		else
			harmless++;
	}
	ok(!missed && found > 50, "200 flipped bits: %d found, %d in unused room, %d missed", found,
		harmless, missed);
}

static void provenance(void)
{
	char *argv[] = {"first-tool", "--depth=3", "it's", "-o", "out.h5", NULL};
	struct provenance first = {
		.tool = "first-tool", .version = "1", .argc = 5, .argv = argv, .threads = 2};
	struct provenance second = first;
	struct h5 *f = NULL, *in = NULL;
	char *text = NULL, hash[80];
	float x = 1;
	int links = 0, status;

	second.tool = "second-tool";
	status = h5_create(&f, in_folder("p1.h5"), "weights");
	status = status ? status : h5_put(f, "x", H5_F32, 0, NULL, &x);
	status = status ? status : provenance_write(&first, f);
	status = status ? status : h5_commit(&f);
	ok(!status, "a first link");
	status = h5_open(&in, in_folder("p1.h5"), NULL);
	status = status ? status : provenance_input(&second, in);
	status = status ? status : h5_content_hash(in, hash);
	h5_close(&in);
	status = status ? status : h5_create(&f, in_folder("p2.h5"), "weights");
	status = status ? status : h5_put(f, "x", H5_F32, 0, NULL, &x);
	status = status ? status : provenance_write(&second, f);
	status = status ? status : h5_commit(&f);
	ok(!status, "a second one");
	provenance_release(&second);
	status = h5_open(&in, in_folder("p2.h5"), NULL);
	ok(!status && !provenance_links(in, &links) && links == 2, "two links");
	ok(!provenance_get(in, 0, "tool", &text) && !strcmp(text, "first-tool"), "the old first");
	free(text);
	ok(!provenance_get(in, 1, "inputs", &text) && strstr(text, hash) && strstr(text, "p1.h5\t"),
		"the input with its hash");
	free(text);
	ok(!provenance_get(in, 0, "argv", &text) &&
			!strcmp(text, "first-tool --depth=3 'it'\\''s' -o out.h5"),
		"the command as a shell takes it");
	diag("%s", text);
	free(text);
	ok(provenance_get(in, 1, "blas", &text) == STATUS_DATA, "what is not known is left out");
	h5_close(&in);
}

int main(void)
{
	signal(SIGXFSZ, SIG_IGN);
	hashes();
	known_hash();
	atomic();
	full(0);
	full(1000);
	full(20000);
	full(file_size(in_folder("a.h5")) - 1);
	stale();
	holes();
	truncated();
	flipped();
	provenance();
	if (!getenv("KEEP"))
		remove_folder(test_folder());
	return done();
}
