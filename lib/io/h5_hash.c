/*
 * The content hash: SHA-256 over (name, type, shape, SHA-256 of the values) of all datasets, sorted
 * by name, so that neither order of writing nor chunks nor compression matter. Digests run along
 * while rows are written in order; otherwise the rows are read again.
 */
#include "lib/io/h5_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int sha_error(void)
{
	return error(STATUS_SYSTEM, "SHA-256 failed in OpenSSL");
}

int h5_digest_add(
	struct h5 *f, struct h5_set *s, int64_t from, int64_t rows, const void *data, size_t bytes)
{
	s->filled += rows;
	if (!s->sha)
		return 0;
	if (from != s->next) {
		EVP_MD_CTX_free(s->sha);
		s->sha = NULL;
		return 0;
	}
	s->next += rows;
	return EVP_DigestUpdate(s->sha, data, bytes) ? 0 : sha_error();
}

/* Texts one after another, each with its closing zero. */
static int digest_strings(struct h5 *f, struct h5_set *s, EVP_MD_CTX *sha)
{
	char **strings;
	int64_t count;
	int good = 1;

	TRY(h5_get_strings(f, s->name, &count, &strings));
	for (int64_t i = 0; i < count && good; i++)
		good = EVP_DigestUpdate(sha, strings[i], strlen(strings[i]) + 1);
	free(strings);
	return good ? 0 : sha_error();
}

static int digest_rows(struct h5 *f, struct h5_set *s, EVP_MD_CTX *sha)
{
	int64_t rows = s->dims ? s->shape[0] : 1, chunk = h5_chunk_rows(s->id), n;
	size_t row_bytes = (size_t)h5_row_count(s) * h5_type_size(s->type);
	int64_t step = row_bytes && 4 * H5_BLOCK / row_bytes > 0 ? 4 * H5_BLOCK / row_bytes : 1;
	void *buffer;
	int status = 0;

	if (step > chunk)
		step -= step % chunk;
	if (step > rows)
		step = rows;
	if (!row_bytes || !rows)
		return 0;
	buffer = memory_new((size_t)step, row_bytes);
	if (!buffer)
		return STATUS_SYSTEM;
	for (int64_t at = 0; at < rows && !status; at += n) {
		n = rows - at < step ? rows - at : step;
		status = h5_transfer(f, s, 0, at, n, buffer);
		if (!status && !EVP_DigestUpdate(sha, buffer, (size_t)n * row_bytes))
			status = sha_error();
	}
	free(buffer);
	return status;
}

static int digest_set(struct h5 *f, const char *name, unsigned char digest[SHA256_BYTES])
{
	struct h5_set *s = NULL;
	EVP_MD_CTX *sha;
	int status = 0;

	TRY(h5_find(f, name, &s));
	sha = EVP_MD_CTX_new();
	if (!sha)
		return sha_error();
	if (s->sha && s->next == (s->dims ? s->shape[0] : 1)) {
		status = EVP_MD_CTX_copy_ex(sha, s->sha) ? 0 : sha_error();
	} else {
		status = EVP_DigestInit_ex(sha, EVP_sha256(), NULL) ? 0 : sha_error();
		if (!status)
			status = s->type == H5_TEXT ? digest_strings(f, s, sha)
						    : digest_rows(f, s, sha);
	}
	if (!status && !EVP_DigestFinal_ex(sha, digest, NULL))
		status = sha_error();
	EVP_MD_CTX_free(sha);
	return status;
}

static int add_set(struct h5 *f, EVP_MD_CTX *all, const char *name)
{
	unsigned char digest[SHA256_BYTES];
	struct h5_set *s = NULL;
	char shape[200];

	TRY(digest_set(f, name, digest));
	TRY(h5_find(f, name, &s));
	h5_shape_text(s->dims, s->shape, shape);
	if (!EVP_DigestUpdate(all, name, strlen(name) + 1) ||
		!EVP_DigestUpdate(all, h5_type_name(s->type), strlen(h5_type_name(s->type)) + 1) ||
		!EVP_DigestUpdate(all, shape, strlen(shape) + 1) ||
		!EVP_DigestUpdate(all, digest, sizeof(digest)))
		return sha_error();
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A writer's rows must all have come. */
static int check_filled(struct h5 *f)
{
	for (int i = 0; i < f->count; i++) {
		struct h5_set *s = f->sets[i];
		int64_t rows = s->dims ? s->shape[0] : 1;

		if (s->filled < rows)
			return h5_error(f, STATUS_BUG, "%s: only %lld of %lld rows were written",
				s->name, (long long)s->filled, (long long)rows);
	}
	return 0;
}

int h5_hash_tensors(struct h5 *f, char hash[80])
{
	unsigned char digest[SHA256_BYTES];
	EVP_MD_CTX *all;
	char **names;
	int count, status = 0;

	if (f->writer)
		TRY(check_filled(f));
	TRY(h5_names(f, &names, &count));
	qsort(names, count, sizeof(*names), by_text);
	all = EVP_MD_CTX_new();
	if (!all || !EVP_DigestInit_ex(all, EVP_sha256(), NULL))
		status = sha_error();
	for (int i = 0; i < count && !status; i++)
		status = add_set(f, all, names[i]);
	if (!status && !EVP_DigestFinal_ex(all, digest, NULL))
		status = sha_error();
	EVP_MD_CTX_free(all);
	free(names);
	if (status)
		return status;
	strcpy(hash, "sha256:");
	for (int i = 0; i < SHA256_BYTES; i++)
		sprintf(hash + 7 + 2 * i, "%02x", digest[i]);
	return 0;
}

int h5_content_hash(struct h5 *f, char hash[80])
{
	char *stored;
	int status;

	if (f->writer || !h5_has_attribute(f, "content_hash"))
		return h5_hash_tensors(f, hash);
	TRY(h5_get_text(f, "content_hash", &stored));
	status = strlen(stored) == 7 + 2 * SHA256_BYTES && !strncmp(stored, "sha256:", 7)
			 ? 0
			 : h5_error(f, STATUS_DATA, "attribute content_hash is damaged");
	if (!status)
		strcpy(hash, stored);
	free(stored);
	return status;
}
