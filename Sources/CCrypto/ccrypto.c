#define _GNU_SOURCE
#include "ccrypto.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

void ccrypto_release(ccrypto_bytes *bytes) {
  OPENSSL_clear_free(bytes->bytes, bytes->count);
  bytes->bytes = NULL;
  bytes->count = 0;
}

void ccrypto_wipe(void *bytes, size_t count) { OPENSSL_cleanse(bytes, count); }

void ccrypto_reason(char *text, size_t size) {
  unsigned long code = ERR_get_error();
  if (size > 0) text[0] = 0;
  if (code != 0) ERR_error_string_n(code, text, size);
  ERR_clear_error();
}

int ccrypto_random(uint8_t *bytes, size_t count) {
  return count <= INT_MAX && RAND_bytes(bytes, (int)count) == 1 ? CCRYPTO_OK : CCRYPTO_LIBRARY;
}

int ccrypto_sha256(ccrypto_view bytes, uint8_t digest[32]) {
  return EVP_Digest(bytes.bytes, bytes.count, digest, NULL, EVP_sha256(), NULL) == 1 ? CCRYPTO_OK : CCRYPTO_LIBRARY;
}

// Takes over what an i2d function allocated.
static int take(uint8_t *der, int count, ccrypto_bytes *out) {
  if (count <= 0 || der == NULL) return CCRYPTO_LIBRARY;
  out->bytes = der;
  out->count = (size_t)count;
  return CCRYPTO_OK;
}

// Reads one structure that fills `view` to its last byte.
#define DECODE(type, d2i, discard)                                      \
  static type *decode_##type(ccrypto_view view) {                       \
    const unsigned char *at = view.bytes;                               \
    if (view.count == 0 || view.count > INT_MAX) return NULL;           \
    type *found = d2i(NULL, &at, (long)view.count);                     \
    if (found != NULL && at != view.bytes + view.count) {               \
      discard(found);                                                   \
      found = NULL;                                                     \
    }                                                                   \
    return found;                                                       \
  }
DECODE(X509, d2i_X509, X509_free)
DECODE(X509_REQ, d2i_X509_REQ, X509_REQ_free)
DECODE(X509_CRL, d2i_X509_CRL, X509_CRL_free)
DECODE(EVP_PKEY, d2i_PUBKEY, EVP_PKEY_free)
DECODE(PKCS8_PRIV_KEY_INFO, d2i_PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free)

int ccrypto_pem_decode(ccrypto_view text, const char *label, size_t index, ccrypto_bytes *der) {
  int status = CCRYPTO_MALFORMED;
  if (text.count == 0 || text.count > INT_MAX) return status;
  BIO *source = BIO_new_mem_buf(text.bytes, (int)text.count);
  if (source == NULL) return CCRYPTO_LIBRARY;
  for (size_t block = 0; block <= index; block++) {
    char *name = NULL, *header = NULL;
    unsigned char *body = NULL;
    long count = 0;
    if (PEM_read_bio(source, &name, &header, &body, &count) != 1) break;
    if (block == index && count > 0 && strcmp(name, label) == 0 && header[0] == 0) {
      status = take(body, (int)count, der);
      if (status == CCRYPTO_OK) body = NULL;
    }
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_clear_free(body, (size_t)count);
  }
  BIO_free(source);
  return status;
}

int ccrypto_pem_encode(ccrypto_view der, const char *label, ccrypto_bytes *text) {
  int status = CCRYPTO_LIBRARY;
  char *base = NULL;
  BIO *sink = BIO_new(BIO_s_mem());
  if (sink == NULL || der.count == 0 || der.count > INT_MAX) goto done;
  if (PEM_write_bio(sink, label, "", der.bytes, (long)der.count) <= 0) goto done;
  long count = BIO_get_mem_data(sink, &base);
  if (count <= 0) goto done;
  uint8_t *copy = OPENSSL_memdup(base, (size_t)count);
  status = take(copy, (int)count, text);
  OPENSSL_cleanse(base, (size_t)count);
done:
  BIO_free(sink);
  return status;
}

// Parameters written out instead of the curve's name are refused: they can hide another curve.
static int is_p256(const EVP_PKEY *key) {
  char group[32] = "", encoding[32] = "";
  if (key == NULL || EVP_PKEY_get_base_id(key) != EVP_PKEY_EC) return 0;
  if (EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, NULL) != 1) return 0;
  if (EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, encoding, sizeof encoding, NULL) != 1) return 0;
  return strcmp(group, SN_X9_62_prime256v1) == 0 && strcmp(encoding, OSSL_PKEY_EC_ENCODING_GROUP) == 0;
}

static int check_key(EVP_PKEY *key, int (*check)(EVP_PKEY_CTX *)) {
  if (!is_p256(key)) return CCRYPTO_CURVE;
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
  if (context == NULL) return CCRYPTO_LIBRARY;
  int valid = check(context);
  EVP_PKEY_CTX_free(context);
  return valid == 1 ? CCRYPTO_OK : CCRYPTO_MALFORMED;
}

static int private_key(ccrypto_view view, EVP_PKEY **key) {
  PKCS8_PRIV_KEY_INFO *info = decode_PKCS8_PRIV_KEY_INFO(view);
  *key = info == NULL ? NULL : EVP_PKCS82PKEY(info);
  PKCS8_PRIV_KEY_INFO_free(info);
  if (*key == NULL) return CCRYPTO_MALFORMED;
  int status = check_key(*key, EVP_PKEY_check);
  if (status != CCRYPTO_OK) {
    EVP_PKEY_free(*key);
    *key = NULL;
  }
  return status;
}

int ccrypto_key_make(ccrypto_bytes *out) {
  int status = CCRYPTO_LIBRARY;
  PKCS8_PRIV_KEY_INFO *info = NULL;
  EVP_PKEY *key = EVP_EC_gen("P-256");
  if (key != NULL) info = EVP_PKEY2PKCS8(key);
  if (info != NULL) {
    uint8_t *der = NULL;
    int count = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    status = take(der, count, out);
  }
  PKCS8_PRIV_KEY_INFO_free(info);
  EVP_PKEY_free(key);
  return status;
}

static int write_public(const EVP_PKEY *key, ccrypto_bytes *out) {
  uint8_t *der = NULL;
  int count = i2d_PUBKEY(key, &der);
  return take(der, count, out);
}

int ccrypto_key_public(ccrypto_view view, ccrypto_bytes *out) {
  EVP_PKEY *key = NULL;
  int status = private_key(view, &key);
  if (status == CCRYPTO_OK) status = write_public(key, out);
  EVP_PKEY_free(key);
  return status;
}

// The one common name of `name`; with `alone`, it must also be the only part.
static int read_name(const X509_NAME *name, int alone, char text[CCRYPTO_NAME_MAX + 1]) {
  int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0) return CCRYPTO_NAME;
  if (alone && X509_NAME_entry_count(name) != 1) return CCRYPTO_NAME;
  unsigned char *utf8 = NULL;
  int count = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
  int status = count >= 1 && count <= CCRYPTO_NAME_MAX ? CCRYPTO_OK : CCRYPTO_NAME;
  for (int index = 0; status == CCRYPTO_OK && index < count; index++) {
    if (utf8[index] < 0x20 || utf8[index] > 0x7e) status = CCRYPTO_NAME;
    text[index] = (char)utf8[index];
  }
  if (status == CCRYPTO_OK) text[count] = 0;
  if (count >= 0) OPENSSL_free(utf8);
  return status;
}

static int write_name(X509_NAME *name, const char *text) {
  size_t count = strlen(text);
  if (count < 1 || count > CCRYPTO_NAME_MAX) return CCRYPTO_NAME;
  int added = X509_NAME_add_entry_by_NID(
      name, NID_commonName, MBSTRING_UTF8, (const unsigned char *)text, (int)count, -1, 0);
  return added == 1 ? CCRYPTO_OK : CCRYPTO_NAME;
}

static int read_time(const ASN1_TIME *time, int64_t *seconds) {
  struct tm parts;
  if (time == NULL || ASN1_TIME_to_tm(time, &parts) != 1) return CCRYPTO_MALFORMED;
  *seconds = (int64_t)timegm(&parts);
  return CCRYPTO_OK;
}

static int write_serial(const uint8_t *bytes, size_t count, ASN1_INTEGER *serial) {
  int status = CCRYPTO_LIBRARY;
  BIGNUM *number = BN_bin2bn(bytes, (int)count, NULL);
  if (number != NULL && BN_to_ASN1_INTEGER(number, serial) != NULL) status = CCRYPTO_OK;
  BN_free(number);
  return status;
}

static int read_serial(const ASN1_INTEGER *serial, uint8_t *bytes, size_t *count) {
  int status = CCRYPTO_MALFORMED;
  BIGNUM *number = ASN1_INTEGER_to_BN(serial, NULL);
  if (number != NULL && !BN_is_negative(number) && BN_num_bytes(number) <= CCRYPTO_SERIAL_MAX) {
    *count = (size_t)BN_bn2bin(number, bytes);
    status = CCRYPTO_OK;
  }
  BN_free(number);
  return status;
}

int ccrypto_request_make(ccrypto_view key_view, const char *common_name, ccrypto_bytes *out) {
  EVP_PKEY *key = NULL;
  X509_REQ *request = NULL;
  int status = private_key(key_view, &key);
  if (status != CCRYPTO_OK) goto done;
  status = CCRYPTO_LIBRARY;
  request = X509_REQ_new();
  if (request == NULL || X509_REQ_set_version(request, X509_REQ_VERSION_1) != 1) goto done;
  status = write_name(X509_REQ_get_subject_name(request), common_name);
  if (status != CCRYPTO_OK) goto done;
  status = CCRYPTO_LIBRARY;
  if (X509_REQ_set_pubkey(request, key) != 1 || X509_REQ_sign(request, key, EVP_sha256()) <= 0) goto done;
  uint8_t *der = NULL;
  int count = i2d_X509_REQ(request, &der);
  status = take(der, count, out);
done:
  X509_REQ_free(request);
  EVP_PKEY_free(key);
  return status;
}

int ccrypto_request_read(ccrypto_view view, char name[CCRYPTO_NAME_MAX + 1], ccrypto_bytes *public_key) {
  X509_REQ *request = decode_X509_REQ(view);
  if (request == NULL) return CCRYPTO_MALFORMED;
  EVP_PKEY *key = X509_REQ_get0_pubkey(request);
  int status = key == NULL ? CCRYPTO_MALFORMED : check_key(key, EVP_PKEY_public_check);
  if (status == CCRYPTO_OK && X509_REQ_verify(request, key) != 1) status = CCRYPTO_SIGNATURE;
  if (status == CCRYPTO_OK) status = read_name(X509_REQ_get_subject_name(request), 1, name);
  if (status == CCRYPTO_OK) status = write_public(key, public_key);
  X509_REQ_free(request);
  return status;
}

static int add_constant(X509 *certificate, X509 *issuer, int nid, const char *value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
  int added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

// One entry of the packed names; they are built by hand because OpenSSL's text form would let a name smuggle others in.
static GENERAL_NAME *alternative_name(uint8_t kind, const uint8_t *bytes, size_t count) {
  int is_address = kind == 'I';
  if (is_address ? count != 4 && count != 16 : kind != 'D' || count < 1) return NULL;
  GENERAL_NAME *name = GENERAL_NAME_new();
  ASN1_STRING *value = is_address ? (ASN1_STRING *)ASN1_OCTET_STRING_new() : (ASN1_STRING *)ASN1_IA5STRING_new();
  if (name == NULL || value == NULL || ASN1_STRING_set(value, bytes, (int)count) != 1) {
    GENERAL_NAME_free(name);
    ASN1_STRING_free(value);
    return NULL;
  }
  GENERAL_NAME_set0_value(name, is_address ? GEN_IPADD : GEN_DNS, value);
  return name;
}

static int add_alternative_names(X509 *certificate, ccrypto_view packed) {
  int added = 0;
  GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
  size_t at = 0;
  while (names != NULL && at + 2 <= packed.count) {
    size_t count = packed.bytes[at + 1];
    if (count > packed.count - at - 2) break;
    GENERAL_NAME *name = alternative_name(packed.bytes[at], packed.bytes + at + 2, count);
    if (name == NULL) break;
    if (sk_GENERAL_NAME_push(names, name) <= 0) {
      GENERAL_NAME_free(name);
      break;
    }
    at += 2 + count;
  }
  if (names != NULL && at == packed.count && at > 0)
    added = X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0) == 1;
  GENERAL_NAMES_free(names);
  return added;
}

static int add_extensions(X509 *certificate, X509 *issuer, const ccrypto_template *plan) {
  int is_authority = plan->kind == CCRYPTO_ROOT || plan->kind == CCRYPTO_DEVICE_AUTHORITY;
  const char *basic = plan->kind == CCRYPTO_ROOT ? "critical,CA:TRUE"
                      : is_authority             ? "critical,CA:TRUE,pathlen:0"
                                                 : "critical,CA:FALSE";
  const char *usage = is_authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature";
  // On an authority it limits what may stand below: one of devices cannot make a broker.
  const char *purpose = plan->kind == CCRYPTO_SERVER ? "serverAuth" : "clientAuth";
  if (!add_constant(certificate, issuer, NID_basic_constraints, basic)) return 0;
  if (!add_constant(certificate, issuer, NID_key_usage, usage)) return 0;
  if (!add_constant(certificate, issuer, NID_subject_key_identifier, "hash")) return 0;
  if (!add_constant(certificate, issuer, NID_authority_key_identifier, "keyid:always")) return 0;
  if (plan->kind == CCRYPTO_ROOT) return 1;
  if (!add_constant(certificate, issuer, NID_ext_key_usage, purpose)) return 0;
  return plan->kind != CCRYPTO_SERVER || add_alternative_names(certificate, plan->alternative_names);
}

static int fill(X509 *certificate, X509 *issuer, EVP_PKEY *public_key, const ccrypto_template *plan) {
  if (X509_set_version(certificate, X509_VERSION_3) != 1) return CCRYPTO_LIBRARY;
  int status = write_serial(plan->serial, sizeof plan->serial, X509_get_serialNumber(certificate));
  if (status != CCRYPTO_OK) return status;
  status = write_name(X509_get_subject_name(certificate), plan->common_name);
  if (status != CCRYPTO_OK) return status;
  if (X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) != 1) return CCRYPTO_LIBRARY;
  if (ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)plan->not_before) == NULL) return CCRYPTO_LIBRARY;
  if (ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)plan->not_after) == NULL) return CCRYPTO_LIBRARY;
  if (X509_set_pubkey(certificate, public_key) != 1) return CCRYPTO_LIBRARY;
  return add_extensions(certificate, issuer, plan) ? CCRYPTO_OK : CCRYPTO_LIBRARY;
}

int ccrypto_certificate_make(const ccrypto_template *plan, ccrypto_bytes *out) {
  int is_root = plan->kind == CCRYPTO_ROOT;
  EVP_PKEY *key = NULL, *public_key = NULL;
  X509 *issuer = NULL;
  X509 *certificate = X509_new();
  int status = certificate == NULL ? CCRYPTO_LIBRARY : private_key(plan->issuer_key, &key);
  if (status != CCRYPTO_OK) goto done;
  status = CCRYPTO_MALFORMED;
  public_key = decode_EVP_PKEY(plan->public_key);
  if (public_key == NULL) goto done;
  status = check_key(public_key, EVP_PKEY_public_check);
  if (status != CCRYPTO_OK) goto done;
  if (!is_root) {
    status = CCRYPTO_MALFORMED;
    issuer = decode_X509(plan->issuer);
    if (issuer == NULL) goto done;
  }
  status = CCRYPTO_MISMATCH;
  if (is_root ? EVP_PKEY_eq(key, public_key) != 1 : X509_check_private_key(issuer, key) != 1) goto done;
  status = fill(certificate, is_root ? certificate : issuer, public_key, plan);
  if (status != CCRYPTO_OK) goto done;
  status = CCRYPTO_LIBRARY;
  if (X509_sign(certificate, key, EVP_sha256()) <= 0) goto done;
  uint8_t *der = NULL;
  int count = i2d_X509(certificate, &der);
  status = take(der, count, out);
done:
  X509_free(certificate);
  X509_free(issuer);
  EVP_PKEY_free(public_key);
  EVP_PKEY_free(key);
  return status;
}

int ccrypto_certificate_read(ccrypto_view view, ccrypto_certificate *read) {
  X509 *certificate = decode_X509(view);
  if (certificate == NULL) return CCRYPTO_MALFORMED;
  EVP_PKEY *key = X509_get0_pubkey(certificate);
  int status = key == NULL ? CCRYPTO_MALFORMED : read_name(X509_get_subject_name(certificate), 0, read->subject);
  if (status == CCRYPTO_OK) status = read_name(X509_get_issuer_name(certificate), 0, read->issuer);
  if (status == CCRYPTO_OK)
    status = read_serial(X509_get0_serialNumber(certificate), read->serial, &read->serial_count);
  if (status == CCRYPTO_OK) status = read_time(X509_get0_notBefore(certificate), &read->not_before);
  if (status == CCRYPTO_OK) status = read_time(X509_get0_notAfter(certificate), &read->not_after);
  read->is_authority = X509_check_ca(certificate) == 1;
  if (status == CCRYPTO_OK) status = write_public(key, &read->public_key);
  X509_free(certificate);
  return status;
}

int ccrypto_certificate_signed_by(ccrypto_view view, ccrypto_view issuer_view) {
  X509 *certificate = decode_X509(view);
  X509 *issuer = decode_X509(issuer_view);
  int status = CCRYPTO_MALFORMED;
  if (certificate != NULL && issuer != NULL) {
    EVP_PKEY *key = X509_get0_pubkey(issuer);
    status = key != NULL && X509_verify(certificate, key) == 1 ? CCRYPTO_OK : CCRYPTO_SIGNATURE;
  }
  X509_free(certificate);
  X509_free(issuer);
  return status;
}

static STACK_OF(X509) *certificates(ccrypto_view view) {
  STACK_OF(X509) *all = sk_X509_new_null();
  const unsigned char *at = view.bytes;
  size_t left = view.count;
  while (all != NULL && left > 0) {
    X509 *one = left <= INT_MAX ? d2i_X509(NULL, &at, (long)left) : NULL;
    if (one == NULL || sk_X509_push(all, one) <= 0) {
      X509_free(one);
      sk_X509_pop_free(all, X509_free);
      return NULL;
    }
    left = view.count - (size_t)(at - view.bytes);
  }
  return all;
}

static int add_lists(X509_STORE *store, ccrypto_view view) {
  const unsigned char *at = view.bytes;
  size_t left = view.count;
  while (left > 0) {
    X509_CRL *one = left <= INT_MAX ? d2i_X509_CRL(NULL, &at, (long)left) : NULL;
    int added = one != NULL && X509_STORE_add_crl(store, one) == 1;
    X509_CRL_free(one);
    if (!added) return 0;
    left = view.count - (size_t)(at - view.bytes);
  }
  return 1;
}

int ccrypto_chain_verify(
    ccrypto_view leaf_view, ccrypto_view between_view, ccrypto_view roots_view, ccrypto_view lists, int kind,
    int64_t at, int *verdict, char *text, size_t size) {
  int status = CCRYPTO_MALFORMED;
  X509 *leaf = decode_X509(leaf_view);
  STACK_OF(X509) *between = certificates(between_view);
  STACK_OF(X509) *roots = certificates(roots_view);
  X509_STORE *store = X509_STORE_new();
  X509_STORE_CTX *context = X509_STORE_CTX_new();
  if (leaf == NULL || between == NULL || roots == NULL || store == NULL || context == NULL) goto done;
  for (int index = 0; index < sk_X509_num(roots); index++)
    if (X509_STORE_add_cert(store, sk_X509_value(roots, index)) != 1) goto done;
  if (!add_lists(store, lists)) goto done;
  status = CCRYPTO_LIBRARY;
  if (X509_STORE_CTX_init(context, store, leaf, between) != 1) goto done;
  X509_VERIFY_PARAM *terms = X509_STORE_CTX_get0_param(context);
  unsigned long flags = X509_V_FLAG_X509_STRICT;
  if (lists.count > 0) flags |= X509_V_FLAG_CRL_CHECK;
  if (X509_VERIFY_PARAM_set_flags(terms, flags) != 1) goto done;
  X509_VERIFY_PARAM_set_time(terms, (time_t)at);
  int purpose = kind == CCRYPTO_SERVER ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT;
  if (kind != CCRYPTO_DEVICE_AUTHORITY && X509_VERIFY_PARAM_set_purpose(terms, purpose) != 1) goto done;
  int is_valid = X509_verify_cert(context) == 1;
  *verdict = is_valid ? X509_V_OK : X509_STORE_CTX_get_error(context);
  if (!is_valid && *verdict == X509_V_OK) *verdict = X509_V_ERR_UNSPECIFIED;
  OPENSSL_strlcpy(text, X509_verify_cert_error_string(*verdict), size);
  status = CCRYPTO_OK;
done:
  X509_STORE_CTX_free(context);
  X509_STORE_free(store);
  sk_X509_pop_free(roots, X509_free);
  sk_X509_pop_free(between, X509_free);
  X509_free(leaf);
  return status;
}

static int add_revoked(X509_CRL *list, const ccrypto_revoked *entry) {
  int status = CCRYPTO_LIBRARY;
  X509_REVOKED *revoked = X509_REVOKED_new();
  ASN1_INTEGER *serial = ASN1_INTEGER_new();
  ASN1_TIME *at = ASN1_TIME_set(NULL, (time_t)entry->at);
  if (revoked == NULL || serial == NULL || at == NULL || entry->serial_count > CCRYPTO_SERIAL_MAX) goto done;
  if (write_serial(entry->serial, entry->serial_count, serial) != CCRYPTO_OK) goto done;
  if (X509_REVOKED_set_serialNumber(revoked, serial) != 1) goto done;
  if (X509_REVOKED_set_revocationDate(revoked, at) != 1) goto done;
  if (X509_CRL_add0_revoked(list, revoked) != 1) goto done;
  revoked = NULL;
  status = CCRYPTO_OK;
done:
  X509_REVOKED_free(revoked);
  ASN1_INTEGER_free(serial);
  ASN1_TIME_free(at);
  return status;
}

static int add_list_extensions(X509_CRL *list, X509 *issuer, uint64_t number) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, NULL, NULL, list, 0);
  X509_EXTENSION *key = X509V3_EXT_conf_nid(NULL, &context, NID_authority_key_identifier, "keyid:always");
  ASN1_INTEGER *value = ASN1_INTEGER_new();
  int added = key != NULL && value != NULL && X509_CRL_add_ext(list, key, -1) == 1 &&
              ASN1_INTEGER_set_uint64(value, number) == 1 &&
              X509_CRL_add1_ext_i2d(list, NID_crl_number, value, 0, 0) == 1;
  X509_EXTENSION_free(key);
  ASN1_INTEGER_free(value);
  return added;
}

static int set_updates(X509_CRL *list, int64_t this_update, int64_t next_update) {
  ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t)this_update);
  ASN1_TIME *until = ASN1_TIME_set(NULL, (time_t)next_update);
  int set = from != NULL && until != NULL && X509_CRL_set1_lastUpdate(list, from) == 1 &&
            X509_CRL_set1_nextUpdate(list, until) == 1;
  ASN1_TIME_free(from);
  ASN1_TIME_free(until);
  return set;
}

int ccrypto_list_make(
    ccrypto_view issuer_view, ccrypto_view issuer_key, uint64_t number, int64_t this_update, int64_t next_update,
    const ccrypto_revoked *revoked, size_t count, ccrypto_bytes *out) {
  EVP_PKEY *key = NULL;
  X509_CRL *list = X509_CRL_new();
  X509 *issuer = decode_X509(issuer_view);
  int status = issuer == NULL ? CCRYPTO_MALFORMED : private_key(issuer_key, &key);
  if (status != CCRYPTO_OK) goto done;
  status = CCRYPTO_MISMATCH;
  if (X509_check_private_key(issuer, key) != 1) goto done;
  status = CCRYPTO_LIBRARY;
  if (list == NULL || X509_CRL_set_version(list, X509_CRL_VERSION_2) != 1) goto done;
  if (X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer)) != 1) goto done;
  if (!set_updates(list, this_update, next_update) || !add_list_extensions(list, issuer, number)) goto done;
  for (size_t index = 0; index < count; index++)
    if (add_revoked(list, &revoked[index]) != CCRYPTO_OK) goto done;
  if (X509_CRL_sort(list) != 1 || X509_CRL_sign(list, key, EVP_sha256()) <= 0) goto done;
  uint8_t *der = NULL;
  int length = i2d_X509_CRL(list, &der);
  status = take(der, length, out);
done:
  X509_CRL_free(list);
  X509_free(issuer);
  EVP_PKEY_free(key);
  return status;
}

static int read_revoked(X509_CRL *list, ccrypto_list *read) {
  STACK_OF(X509_REVOKED) *all = X509_CRL_get_REVOKED(list);
  int count = all == NULL ? 0 : sk_X509_REVOKED_num(all);
  if (count <= 0) return CCRYPTO_OK;
  ccrypto_revoked *made = OPENSSL_zalloc((size_t)count * sizeof *made);
  if (made == NULL) return CCRYPTO_LIBRARY;
  for (int index = 0; index < count; index++) {
    const X509_REVOKED *entry = sk_X509_REVOKED_value(all, index);
    int status = read_serial(X509_REVOKED_get0_serialNumber(entry), made[index].serial, &made[index].serial_count);
    if (status == CCRYPTO_OK) status = read_time(X509_REVOKED_get0_revocationDate(entry), &made[index].at);
    if (status != CCRYPTO_OK) {
      OPENSSL_free(made);
      return status;
    }
  }
  read->revoked = made;
  read->count = (size_t)count;
  return CCRYPTO_OK;
}

int ccrypto_list_read(ccrypto_view view, ccrypto_view issuer_view, ccrypto_list *read) {
  memset(read, 0, sizeof *read);
  ASN1_INTEGER *number = NULL;
  X509_CRL *list = decode_X509_CRL(view);
  X509 *issuer = decode_X509(issuer_view);
  int status = CCRYPTO_MALFORMED;
  if (list == NULL || issuer == NULL) goto done;
  EVP_PKEY *key = X509_get0_pubkey(issuer);
  status = key != NULL && X509_CRL_verify(list, key) == 1 ? CCRYPTO_OK : CCRYPTO_SIGNATURE;
  if (status != CCRYPTO_OK) goto done;
  status = CCRYPTO_MALFORMED;
  number = X509_CRL_get_ext_d2i(list, NID_crl_number, NULL, NULL);
  if (number == NULL || ASN1_INTEGER_get_uint64(&read->number, number) != 1) goto done;
  status = read_time(X509_CRL_get0_lastUpdate(list), &read->this_update);
  if (status == CCRYPTO_OK) status = read_time(X509_CRL_get0_nextUpdate(list), &read->next_update);
  if (status == CCRYPTO_OK) status = read_revoked(list, read);
done:
  ASN1_INTEGER_free(number);
  X509_CRL_free(list);
  X509_free(issuer);
  return status;
}

void ccrypto_release_revoked(ccrypto_list *read) {
  OPENSSL_free(read->revoked);
  read->revoked = NULL;
  read->count = 0;
}
