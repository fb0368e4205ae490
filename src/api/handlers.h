// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The handlers that the route table names. Each is called with an admitted request whose body
 * is whole and whose query parameters were checked, and answers it now or later.
 */
#ifndef FR_API_HANDLERS_H
#define FR_API_HANDLERS_H

#include "http/message.h"

void fr_handle_submit(struct fr_req *req);
bool fr_begin_post(struct fr_req *req);
void fr_handle_post(struct fr_req *req);
void fr_handle_jobs(struct fr_req *req);
void fr_handle_search(struct fr_req *req);
void fr_handle_job(struct fr_req *req);
void fr_handle_cancel(struct fr_req *req);
void fr_handle_delete(struct fr_req *req);
void fr_handle_kill(struct fr_req *req);
void fr_handle_urgency(struct fr_req *req);
void fr_handle_duration(struct fr_req *req);
void fr_handle_events(struct fr_req *req);
void fr_handle_all_events(struct fr_req *req);
void fr_handle_jobspec(struct fr_req *req);
void fr_handle_R(struct fr_req *req);
void fr_handle_cancel_many(struct fr_req *req);
void fr_handle_stdout(struct fr_req *req);
void fr_handle_stderr(struct fr_req *req);
void fr_handle_output(struct fr_req *req);
void fr_handle_output_stream(struct fr_req *req);
void fr_handle_nodes(struct fr_req *req);
void fr_handle_drain(struct fr_req *req);
void fr_handle_undrain(struct fr_req *req);
void fr_handle_queues(struct fr_req *req);
void fr_handle_service(struct fr_req *req);
void fr_handle_stop(struct fr_req *req);
void fr_handle_sign_in(struct fr_req *req);
void fr_handle_tokens(struct fr_req *req);
void fr_handle_create_token(struct fr_req *req);
void fr_handle_revoke_token(struct fr_req *req);
void fr_handle_stats(struct fr_req *req);
void fr_handle_metrics(struct fr_req *req);
void fr_handle_livez(struct fr_req *req);
void fr_handle_readyz(struct fr_req *req);
void fr_handle_openapi(struct fr_req *req);
void fr_handle_root(struct fr_req *req);
void fr_handle_web(struct fr_req *req);

#endif
