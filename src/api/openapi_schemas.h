// SPDX-License-Identifier: LGPL-3.0-only
/*
 * The components of the OpenAPI document, as JSON. Included by openapi.c alone.
 */
#ifndef FR_API_OPENAPI_SCHEMAS_H
#define FR_API_OPENAPI_SCHEMAS_H

// clang-format off
#define FR_OPENAPI_COMPONENTS                                                                  \
"{\"securitySchemes\":{\"basic\":{\"type\":\"http\",\"scheme\":\"basic\"},"                    \
"\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\"}},"                                       \
"\"responses\":{\"Problem\":{\"description\":\"What went wrong, and what to do about it.\","   \
"\"content\":{\"application/problem+json\":{\"schema\":"                                       \
"{\"$ref\":\"#/components/schemas/Problem\"}}}}},"                                             \
"\"schemas\":{"                                                                                \
"\"Problem\":{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"detail\","     \
"\"code\",\"errors\",\"Message\",\"Errors\"],\"properties\":{"                                 \
"\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},"                              \
"\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":\"string\"},"                          \
"\"code\":{\"type\":\"string\"},\"errors\":{\"type\":\"array\",\"items\":{"                    \
"\"type\":\"object\",\"required\":[\"pointer\",\"detail\"],\"properties\":{"                   \
"\"pointer\":{\"type\":\"string\"},\"detail\":{\"type\":\"string\"},"                          \
"\"code\":{\"type\":\"string\"}}}},\"Message\":{\"type\":\"string\"},"                         \
"\"Errors\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}}},"                           \
"\"Message\":{\"type\":\"object\",\"required\":[\"Message\"],"                                 \
"\"properties\":{\"Message\":{\"type\":\"string\"}}},"                                         \
"\"Health\":{\"type\":\"object\",\"required\":[\"status\"],"                                   \
"\"properties\":{\"status\":{\"type\":\"string\"}}},"                                          \
"\"SubmitRequest\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"       \
"\"command\":{\"description\":\"Split into words as a POSIX shell does, or a list.\","         \
"\"oneOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]},"     \
"\"num_tasks\":{\"type\":\"integer\",\"minimum\":1},"                                          \
"\"cores_per_task\":{\"type\":\"integer\",\"minimum\":1},"                                     \
"\"gpus_per_task\":{\"type\":\"integer\",\"minimum\":1},"                                      \
"\"num_nodes\":{\"type\":\"integer\",\"minimum\":1},\"exclusive\":{\"type\":\"boolean\"},"     \
"\"workdir\":{\"type\":\"string\"},\"envars\":{\"type\":\"object\"},"                          \
"\"option_flags\":{\"oneOf\":[{\"type\":\"object\"},{\"type\":\"string\"}]},"                  \
"\"runtime\":{\"description\":\"Time limit in seconds, or as an RFC 23 duration; 0 is none.\","\
"\"oneOf\":[{\"type\":\"number\",\"minimum\":0},{\"type\":\"string\"}]},"                      \
"\"is_launcher\":{\"type\":\"boolean\"},\"name\":{\"type\":\"string\"},"                       \
"\"queue\":{\"type\":\"string\"},\"bank\":{\"type\":\"string\"},"                              \
"\"urgency\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":31},"                             \
"\"dependencies\":{\"type\":\"array\"},\"constraints\":{},\"stdin\":{\"type\":\"string\"},"    \
"\"output\":{\"type\":\"string\"},\"error\":{\"type\":\"string\"},"                            \
"\"rlimits\":{\"type\":\"object\"},\"attributes\":{\"type\":\"object\"},"                      \
"\"label_io\":{\"type\":\"boolean\"},\"unbuffered\":{\"type\":\"boolean\"},"                   \
"\"jobspec\":{\"description\":\"A whole RFC 25 jobspec instead.\",\"type\":\"object\"}}},"     \
"\"Submitted\":{\"type\":\"object\",\"required\":[\"Message\",\"id\",\"jobid\"],"              \
"\"properties\":{\"Message\":{\"const\":\"Job submit.\"},\"id\":{\"type\":\"integer\"},"       \
"\"jobid\":{\"type\":\"string\"}}},"                                                           \
"\"CancelRequest\":{\"type\":\"object\",\"additionalProperties\":false,"                     \
"\"properties\":{\"reason\":{\"type\":\"string\"}}},"                                        \
"\"StopRequest\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"      \
"\"instance\":{\"description\":\"Whether the Flux instance ends too: true if not given.\","    \
"\"type\":\"boolean\"}}},"                                                                     \
"\"Cancelled\":{\"type\":\"object\",\"required\":[\"Message\",\"id\"],\"properties\":{"        \
"\"Message\":{\"type\":\"string\"},\"id\":{\"type\":\"string\"}}},"                            \
"\"Job\":{\"type\":\"object\",\"required\":[\"id\",\"jobid\",\"state\",\"name\"],"             \
"\"properties\":{\"id\":{\"type\":\"integer\"},\"jobid\":{\"type\":\"string\"},"               \
"\"state\":{\"enum\":[\"NEW\",\"DEPEND\",\"PRIORITY\",\"SCHED\",\"RUN\",\"CLEANUP\","          \
"\"INACTIVE\"]},\"result\":{\"enum\":[\"\",\"COMPLETED\",\"FAILED\",\"CANCELED\","             \
"\"TIMEOUT\"]},\"name\":{\"type\":\"string\"}}},"                                              \
"\"JobList\":{\"description\":\"With details=true: an object keyed by id, or with listing=true"\
" a list.\",\"oneOf\":[{\"type\":\"object\",\"required\":[\"jobs\",\"cursor\"],"               \
"\"properties\":{\"jobs\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Job\"}},"\
"\"cursor\":{\"type\":\"string\"}}},{\"type\":\"object\",\"additionalProperties\":"            \
"{\"$ref\":\"#/components/schemas/Job\"}},{\"type\":\"array\",\"items\":"                      \
"{\"$ref\":\"#/components/schemas/Job\"}}]},"                                                  \
"\"JobSearch\":{\"type\":\"object\",\"required\":[\"data\",\"draw\",\"recordsTotal\","         \
"\"recordsFiltered\"],\"properties\":{\"data\":{\"type\":\"array\",\"items\":"                 \
"{\"$ref\":\"#/components/schemas/Job\"}},\"draw\":{\"type\":\"integer\"},"                    \
"\"recordsTotal\":{\"type\":\"integer\"},\"recordsFiltered\":{\"type\":\"integer\"}}},"        \
"\"Output\":{\"type\":\"object\",\"properties\":{\"Output\":{\"type\":\"array\",\"items\":"    \
"{\"type\":\"string\"}},\"Message\":{\"type\":\"string\"}}},"                                  \
"\"NodeList\":{\"type\":\"object\",\"required\":[\"nodes\"],\"properties\":{\"nodes\":"        \
"{\"type\":\"array\"}}},"                                                                      \
"\"Service\":{\"type\":\"object\",\"required\":[\"name\",\"version\",\"engine\",\"status\","   \
"\"user\"],\"properties\":{\"name\":{\"const\":\"flux-restd\"},"                               \
"\"version\":{\"type\":\"string\"},\"engine\":{\"enum\":[\"local\",\"flux\"]},"                \
"\"features\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"                           \
"\"status\":{\"enum\":[\"starting\",\"ready\",\"lost\",\"stopping\"]},"                        \
"\"instance\":{\"type\":[\"string\",\"null\"]},\"user\":{\"type\":\"string\"}}}}}"
// clang-format on

#endif
