// X.509 with P-256 keys over libcrypto 3, whose types are opaque and whose calls are partly macros.
//
// Everything crosses as DER; a PEM text is turned into DER first. Any thread may call. No state is kept between calls but
// libcrypto's error queue of the thread: empty it with `ccrypto_reason` after each call, or TLS on that thread sees it.
// Where a function returns CCRYPTO_OK, every `ccrypto_bytes` it was given to fill is filled and is released with
// `ccrypto_release`; otherwise nothing is to be released.
#ifndef CCRYPTO_H
#define CCRYPTO_H

#include <stddef.h>
#include <stdint.h>

enum {
  CCRYPTO_OK = 0,
  // libcrypto failed where only want of memory, of random bytes or of an algorithm explains it; see ccrypto_reason.
  CCRYPTO_LIBRARY,
  // Not the structure that was asked for, or more bytes than one structure.
  CCRYPTO_MALFORMED,
  // Well formed, and not a key on the named curve P-256.
  CCRYPTO_CURVE,
  // A signature that the key does not confirm.
  CCRYPTO_SIGNATURE,
  // A subject without exactly one common name of 1 to 64 printable ASCII characters.
  CCRYPTO_NAME,
  // A key that is not the certificate's.
  CCRYPTO_MISMATCH,
};

enum {
  // Self-signed; may sign certificates and revocation lists.
  CCRYPTO_ROOT,
  // May sign client certificates and revocation lists, and no further authority.
  CCRYPTO_DEVICE_AUTHORITY,
  CCRYPTO_SERVER,
  CCRYPTO_CLIENT,
};

#define CCRYPTO_NAME_MAX 64
#define CCRYPTO_SERIAL_MAX 20
#define CCRYPTO_SERIAL_MADE 16

typedef struct {
  uint8_t *bytes;
  size_t count;
} ccrypto_bytes;

// Bytes of the caller, borrowed for the call.
typedef struct {
  const uint8_t *bytes;
  size_t count;
} ccrypto_view;

// Zeroes and frees.
void ccrypto_release(ccrypto_bytes *bytes);
void ccrypto_wipe(void *bytes, size_t count);

// The oldest error that libcrypto noted on this thread, as text; "" when none. Forgets the others.
void ccrypto_reason(char *text, size_t size);

int ccrypto_random(uint8_t *bytes, size_t count);
int ccrypto_sha256(ccrypto_view bytes, uint8_t digest[32]);

// The body of the `index`th PEM block, which must carry `label` and no headers (hence no encryption).
// CCRYPTO_MALFORMED also where there is no such block.
int ccrypto_pem_decode(ccrypto_view text, const char *label, size_t index, ccrypto_bytes *der);
int ccrypto_pem_encode(ccrypto_view der, const char *label, ccrypto_bytes *text);

// Keys: PKCS #8, and SubjectPublicKeyInfo for the public half.
int ccrypto_key_make(ccrypto_bytes *key);
int ccrypto_key_public(ccrypto_view key, ccrypto_bytes *public_key);

// Signing requests (PKCS #10) with the common name as the only name. Reading checks the signature and the curve.
int ccrypto_request_make(ccrypto_view key, const char *common_name, ccrypto_bytes *request);
int ccrypto_request_read(ccrypto_view request, char name[CCRYPTO_NAME_MAX + 1], ccrypto_bytes *public_key);

typedef struct {
  int kind;
  // Empty for CCRYPTO_ROOT, which signs itself.
  ccrypto_view issuer;
  ccrypto_view issuer_key;
  ccrypto_view public_key;
  const char *common_name;
  uint8_t serial[CCRYPTO_SERIAL_MADE];
  // Seconds since 1970, both ends inclusive.
  int64_t not_before;
  int64_t not_after;
  // CCRYPTO_SERVER alone: entries of a kind byte ('D' a DNS name, 'I' an address of 4 or 16 bytes), a length byte and
  // that many bytes.
  ccrypto_view alternative_names;
} ccrypto_template;

int ccrypto_certificate_make(const ccrypto_template *plan, ccrypto_bytes *certificate);

typedef struct {
  char subject[CCRYPTO_NAME_MAX + 1];
  char issuer[CCRYPTO_NAME_MAX + 1];
  uint8_t serial[CCRYPTO_SERIAL_MAX];
  size_t serial_count;
  int64_t not_before;
  int64_t not_after;
  int is_authority;
  ccrypto_bytes public_key;
} ccrypto_certificate;

int ccrypto_certificate_read(ccrypto_view certificate, ccrypto_certificate *read);

// Whether `issuer` signed `certificate` (CCRYPTO_SIGNATURE when not); dates and purposes are not looked at.
int ccrypto_certificate_signed_by(ccrypto_view certificate, ccrypto_view issuer);

// Verifies a chain at one moment. `between`, `roots` and `lists` are DER structures one after the other; when there is
// any list, the one of the leaf's issuer must be among them and in date, and must not name the leaf. `kind` is
// CCRYPTO_SERVER, CCRYPTO_CLIENT or CCRYPTO_DEVICE_AUTHORITY (any purpose). `*verdict` is 0, or the X509_V_ERR_ code,
// with its words in `text`.
int ccrypto_chain_verify(
    ccrypto_view leaf, ccrypto_view between, ccrypto_view roots, ccrypto_view lists, int kind, int64_t at,
    int *verdict, char *text, size_t size);

typedef struct {
  uint8_t serial[CCRYPTO_SERIAL_MAX];
  size_t serial_count;
  int64_t at;
} ccrypto_revoked;

int ccrypto_list_make(
    ccrypto_view issuer, ccrypto_view issuer_key, uint64_t number, int64_t this_update, int64_t next_update,
    const ccrypto_revoked *revoked, size_t count, ccrypto_bytes *list);

typedef struct {
  uint64_t number;
  int64_t this_update;
  int64_t next_update;
  // Released with ccrypto_release_revoked.
  ccrypto_revoked *revoked;
  size_t count;
} ccrypto_list;

// Checks the signature by `issuer`.
int ccrypto_list_read(ccrypto_view list, ccrypto_view issuer, ccrypto_list *read);
void ccrypto_release_revoked(ccrypto_list *read);

#endif
