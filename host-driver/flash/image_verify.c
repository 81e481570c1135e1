/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of a release image that was parsed: checksums, the parts against each other, the signature. */
#include <ctype.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "image.h"
#include "image_impl.h"
#include "mcs.h"

__attribute__((format(printf, 4, 5))) static void add(struct image_report *r, const char *what,
						      enum image_verdict verdict, const char *format, ...)
{
	struct image_check *c = &r->checks[r->count];
	va_list args;

	if (r->count == IMAGE_MAX_CHECKS)
		return;
	snprintf(c->what, sizeof(c->what), "%s", what);
	c->verdict = verdict;
	va_start(args, format);
	vsnprintf(c->text, sizeof(c->text), format, args);
	va_end(args);
	r->count++;
}

/* --------------------------------------------------------------------------------------------------------- checksums */

static void hex_of(const uint8_t *data, size_t size, char text[2 * EVP_MAX_MD_SIZE + 1])
{
	uint8_t sum[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	text[0] = '\0';
	if (EVP_Digest(data, size, sum, &n, EVP_sha256(), NULL) != 1)
		return;
	for (unsigned int i = 0; i < n; i++)
		sprintf(text + 2 * i, "%02x", sum[i]);
}

/* What a bad file brings does not get into a terminal as it is. */
static void put_readable(char *to, size_t room, const char *from)
{
	size_t i = 0;

	for (; from && from[i] && i + 1 < room; i++)
		to[i] = isprint((unsigned char)from[i]) ? from[i] : '?';
	to[i] = '\0';
}

static void check_sums(const struct image *m, struct image_report *r)
{
	const json_t *sums = json_object_get(m->meta, "sha256"), *sum;
	const char *name;

	for (unsigned int i = 0; i < m->num_sections; i++) {
		const struct image_section *s = &m->sections[i];
		const char *want = json_string_value(json_object_get(sums, s->name));
		char is[2 * EVP_MAX_MD_SIZE + 1];

		if (!strcmp(s->name, "USER_METADATA"))
			continue;
		if (!want) {
			add(r, s->name, IMAGE_BAD, "the metadata have no sha256 of this section");
			continue;
		}
		hex_of(s->data, s->size, is);
		if (is[0] && !strcmp(is, want))
			add(r, s->name, IMAGE_OK, "%zu bytes, sha256 %.16s...", s->size, is);
		else
			add(r, s->name, IMAGE_BAD, "sha256 is %.16s..., the metadata say %.16s...: damaged", is, want);
	}
	json_object_foreach((json_t *)(uintptr_t)sums, name, sum) {
		char readable[64];

		put_readable(readable, sizeof(readable), name);
		if (!image_section(m, name))
			add(r, "sections", IMAGE_BAD, "the metadata have a sha256 of %s, which is not there", readable);
	}
}

/* ---------------------------------------------------------------------------------------------- parts against each other */

/* "xcu200-fsgd2104-2-e" of the metadata, "xcu200-fsgd2104-2-e" or "xcu200fsgd2104-2-e" of a .bit file. */
static bool same_part(const char *a, const char *b)
{
	for (;; a++, b++) {
		while (*a == '-')
			a++;
		while (*b == '-')
			b++;
		if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
			return false;
		if (*a == '\0')
			return true;
	}
}

static void check_bitstream(const struct image *m, struct image_report *r)
{
	const struct bitstream_info *i = &m->stream;
	bool standin = strstr(m->bit.design, "STANDIN") != NULL;

	if (!i->synced)
		add(r, "bitstream", IMAGE_BAD, "no sync word: not configuration data");
	else if (!same_part(m->bit.part, m->part))
		add(r, "bitstream", IMAGE_BAD, "it is for part %s, the metadata say %s", m->bit.part, m->part);
	else if (!i->has_idcode || i->idcode != m->idcode)
		add(r, "bitstream", IMAGE_BAD, "its IDCODE is %s%08x, the metadata say %08x",
		    i->has_idcode ? "" : "missing, ", i->idcode, m->idcode);
	else if (!i->has_usr_access || i->usr_access != m->usr_access)
		add(r, "bitstream", IMAGE_BAD, "its USR_ACCESS is %s%08x, the metadata say %08x",
		    i->has_usr_access ? "" : "missing, ", i->usr_access, m->usr_access);
	else if (standin != m->standin)
		add(r, "bitstream", IMAGE_BAD, "it is %s stand-in, the metadata say otherwise", standin ? "a" : "no");
	else
		add(r, "bitstream", IMAGE_OK, "%s, IDCODE %08x, USR_ACCESS %08x%s", m->bit.part, i->idcode,
		    i->usr_access, standin ? "; a STAND-IN: no part can run it" : "");
}

struct mcs_source {
	const struct image *m;
	unsigned int chip;
};

static uint8_t mcs_byte(const void *arg, size_t at)
{
	const struct mcs_source *s = arg;

	return s->m->chips == 1 ? s->m->data[at] : image_striped_byte(s->m->data, s->m->data_size, s->chip, at);
}

static void check_mcs(const struct image *m, struct image_report *r)
{
	for (unsigned int chip = 0; chip < 2; chip++) {
		const char *name = chip ? "MCS-SECONDARY" : "MCS-PRIMARY";
		const struct image_section *s = image_section(m, name);
		struct mcs_source source = { m, chip };
		char what[32];
		struct flash_err err;

		snprintf(what, sizeof(what), "%s contents", name);
		if (!s && chip < m->chips)
			add(r, what, IMAGE_BAD, "missing, and the board has %u chips", m->chips);
		else if (s && chip >= m->chips)
			add(r, what, IMAGE_BAD, "the board has one chip only");
		else if (s &&
			 mcs_compare((const char *)s->data, s->size, m->flash_start / m->chips,
				     (m->data_size + m->chips - 1) / m->chips, mcs_byte, &source, &err))
			add(r, what, IMAGE_BAD, "%s", err.text);
		else if (s)
			add(r, what, IMAGE_OK, "the bitstream, at 0x%08x", m->flash_start / m->chips);
	}
}

/* --------------------------------------------------------------------------------------------------------- signature */

static X509 *load_certificate(const char *path, struct flash_err *err)
{
	BIO *bio = BIO_new_file(path, "rb");
	X509 *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	if (bio && !x && BIO_reset(bio) == 0)
		x = d2i_X509_bio(bio, NULL);
	if (!bio)
		flash_fail(err, -ENOENT, "the certificate %s cannot be read", path);
	else if (!x)
		flash_fail(err, -EBADMSG, "%s is not a certificate (PEM or DER)", path);
	BIO_free(bio);
	ERR_clear_error();
	return x;
}

/* The bytes as they were when they were signed. */
static BIO *signed_bytes(const struct image *m)
{
	BIO *bio = BIO_new(BIO_s_mem());
	uint8_t head[IMAGE_AT_LENGTH + 8];

	memcpy(head, m->bytes, sizeof(head));
	memset(head + IMAGE_AT_SIGNATURE_LENGTH, 0xff, 4);
	for (unsigned int i = 0; i < 8; i++)
		head[IMAGE_AT_LENGTH + i] = (uint8_t)((uint64_t)m->signed_size >> 8 * i);
	if (bio &&
	    (BIO_write(bio, head, sizeof(head)) != (int)sizeof(head) ||
	     BIO_write(bio, m->bytes + sizeof(head), (int)(m->signed_size - sizeof(head))) !=
		     (int)(m->signed_size - sizeof(head)))) {
		BIO_free(bio);
		return NULL;
	}
	return bio;
}

static int check_pkcs7(const struct image *m, X509 *x, struct flash_err *err)
{
	const uint8_t *at = m->bytes + m->signed_size;
	size_t len = m->size - m->signed_size;
	PKCS7 *p7 = d2i_PKCS7(NULL, &at, (long)len);
	X509_STORE *store = X509_STORE_new();
	STACK_OF(X509) *certs = sk_X509_new_null();
	BIO *content = signed_bytes(m);
	int rc = -ENOMEM;

	flash_fail(err, rc, "out of memory");
	if (!p7 || at != m->bytes + m->size || !PKCS7_type_is_signed(p7)) {
		rc = flash_fail(err, -EBADMSG, "it is damaged: no PKCS#7 signature");
	} else if (store && certs && content && sk_X509_push(certs, x) && X509_STORE_add_cert(store, x)) {
		/* The certificate itself is what is trusted, whoever issued it. */
		X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
		X509_STORE_set_purpose(store, X509_PURPOSE_ANY);
		ERR_clear_error();
		if (PKCS7_verify(p7, certs, store, content, NULL, PKCS7_DETACHED | PKCS7_BINARY | PKCS7_NOINTERN) ==
		    1) {
			rc = 0;
		} else {
			unsigned long code = ERR_peek_last_error();
			const char *data = NULL;
			int flags = 0;

			ERR_peek_last_error_data(&data, &flags);
			rc = -EKEYREJECTED;
			if (ERR_GET_REASON(code) == PKCS7_R_SIGNER_CERTIFICATE_NOT_FOUND)
				flash_fail(err, rc, "it is not by this certificate");
			else if (ERR_GET_REASON(code) == PKCS7_R_CERTIFICATE_VERIFY_ERROR)
				flash_fail(err, rc, "the certificate does not hold%s%s",
					   data && flags & ERR_TXT_STRING ? ": " : "",
					   data && flags & ERR_TXT_STRING ? data : "");
			else
				flash_fail(err, rc, "it does not fit the file, which was changed after signing (%s)",
					   ERR_reason_error_string(code) ?: "?");
		}
	}
	PKCS7_free(p7);
	X509_STORE_free(store);
	sk_X509_free(certs);
	BIO_free(content);
	ERR_clear_error();
	return rc;
}

static void check_signature(const struct image *m, const char *certificate, struct image_report *r)
{
	struct flash_err err;
	char name[128] = "";
	X509 *x;

	if (!m->has_signature) {
		add(r, "signature", certificate ? IMAGE_BAD : IMAGE_UNKNOWN, "none: nobody signed this image");
		return;
	}
	if (!certificate) {
		add(r, "signature", IMAGE_UNKNOWN, "not checked: no certificate was given (--cert FILE), none is at %s",
		    IMAGE_CERTIFICATE);
		return;
	}
	x = load_certificate(certificate, &err);
	if (!x || check_pkcs7(m, x, &err)) {
		r->signed_wrong = true;
		add(r, "signature", IMAGE_BAD, "%s", err.text);
	} else {
		char *subject = X509_NAME_oneline(X509_get_subject_name(x), NULL, 0);

		put_readable(name, sizeof(name), subject);
		OPENSSL_free(subject);
		r->signed_right = true;
		add(r, "signature", IMAGE_OK, "by %s", name);
	}
	X509_free(x);
}

/* ---------------------------------------------------------------------------------------------------------- the whole */

void image_verify(const struct image *m, const char *certificate, struct image_report *r)
{
	memset(r, 0, sizeof(*r));
	check_sums(m, r);
	check_bitstream(m, r);
	check_mcs(m, r);
	r->intact = true;
	for (unsigned int i = 0; i < r->count; i++)
		r->intact &= r->checks[i].verdict == IMAGE_OK;
	check_signature(m, certificate, r);
}

const char *image_report_fault(const struct image_report *r)
{
	for (unsigned int i = 0; i < r->count; i++)
		if (r->checks[i].verdict == IMAGE_BAD)
			return r->checks[i].text;
	return "";
}
