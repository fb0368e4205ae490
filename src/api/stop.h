// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The end of the service, once jobs have ended that it is to wait for.
 */
#ifndef FR_API_STOP_H
#define FR_API_STOP_H

struct fr_winding_down;

void fr_winding_down_free(struct fr_winding_down *down); /* NULL is allowed */

#endif
