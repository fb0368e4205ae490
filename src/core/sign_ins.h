// SPDX-License-Identifier: LGPL-3.0-only
/*
 * Sign-ins that failed, counted for each peer: on this machine a user, else an address (of IPv6
 * its /64, which is one customer's). Whoever has failed too often is not heard for a while,
 * whatever it sends: were the right credentials taken all the same, it could go on guessing.
 *
 * The same wrong credentials again count once. Nobody guesses so, but a forgotten script does,
 * and it should not shut out who else comes through its proxy. What is kept is of fixed size.
 */
#ifndef FR_CORE_SIGN_INS_H
#define FR_CORE_SIGN_INS_H

#include <stdbool.h>
#include <stdint.h>

#include "http/message.h"

struct fr_sign_ins;

/* limit: how many may fail in a minute; that many again for each minute since. 0 or -ENOMEM. */
int fr_sign_ins_create(unsigned int limit, struct fr_sign_ins **ret);
void fr_sign_ins_free(struct fr_sign_ins *sign_ins); /* NULL is allowed */

/* Whether any has failed at all, which is worth asking before the clock is. */
bool fr_sign_ins_any(const struct fr_sign_ins *sign_ins);

/* For how many seconds the peer is not heard: 0 if it is. now: seconds of any steady clock. */
unsigned int fr_sign_ins_wait(const struct fr_sign_ins *sign_ins, const struct fr_peer *peer,
                              double now);

/* One has failed; sum is of what was sent. */
void fr_sign_ins_note(struct fr_sign_ins *sign_ins, const struct fr_peer *peer, uint64_t sum,
                      double now);

#endif
