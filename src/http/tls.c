// SPDX-License-Identifier: LGPL-3.0-only
#include "http/tls.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/*
 * Key exchanges without forward secrecy and ciphers without built-in authentication are left
 * out.
 */
static const char priorities[] =
    "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:"
    "-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:"
    "-CIPHER-ALL:+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-GCM:%SERVER_PRECEDENCE";

struct fr_tls {
    gnutls_certificate_credentials_t pair;
    gnutls_priority_t priority;
    unsigned int holders;
};

struct fr_tls *fr_tls_hold(struct fr_tls *tls)
{
    tls->holders++;
    return tls;
}

void fr_tls_release(struct fr_tls *tls)
{
    if (!tls || --tls->holders > 0)
        return;
    if (tls->pair)
        gnutls_certificate_free_credentials(tls->pair);
    if (tls->priority)
        gnutls_priority_deinit(tls->priority);
    free(tls);
}
FR_DEFINE_CLEANUP(struct fr_tls *, tls, fr_tls_release);

static gnutls_datum_t datum(const char *text)
{
    /* The library's interface predates const; it only reads. */
    return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)text,
                            .size = (unsigned int)strlen(text)};
}

static int explain(int code, struct fr_error *err)
{
    if (code == GNUTLS_E_MEMORY_ERROR)
        return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "out of memory");
    if (code == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
        return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                            "the TLS key is not the key of the first certificate: give the "
                            "pair, with the server's own certificate first");
    return fr_error_set(err, EINVAL, FR_CODE_INVALID,
                        "the TLS certificate and key cannot be read as PEM: %s",
                        gnutls_strerror(code));
}

int fr_tls_create(const char *cert, const char *key, struct fr_tls **ret, struct fr_error *err)
{
    _cleanup_(fr_cleanup_tls) struct fr_tls *tls = calloc(1, sizeof *tls);
    const gnutls_datum_t cert_text = datum(cert), key_text = datum(key);

    if (!tls)
        return fr_error_set(err, ENOMEM, FR_CODE_INTERNAL, "out of memory");
    tls->holders = 1;
    int rc = gnutls_priority_init(&tls->priority, priorities, NULL);
    if (rc == 0)
        rc = gnutls_certificate_allocate_credentials(&tls->pair);
    if (rc == 0)
        rc = gnutls_certificate_set_x509_key_mem2(tls->pair, &cert_text, &key_text,
                                                  GNUTLS_X509_FMT_PEM, NULL, 0);
    if (rc < 0)
        return explain(rc, err);
    *ret = fr_take(tls);
    return 0;
}

int fr_tls_begin(struct fr_tls *tls, int fd, gnutls_session_t *ret)
{
    gnutls_session_t session;

    if (gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0)
        return -ENOMEM;
    gnutls_transport_set_int(session, fd);
    /* How long a handshake may take is for the connection's own deadline to say. */
    gnutls_handshake_set_timeout(session, 0);
    if (gnutls_priority_set(session, tls->priority) < 0 ||
        gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->pair) < 0) {
        gnutls_deinit(session);
        return -ENOMEM;
    }
    *ret = session;
    return 0;
}
