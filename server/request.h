// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_REQUEST_H
#define SERVER_REQUEST_H

/* One HTTP request from its first line to the end of its answer. The three functions are callbacks
 * of libmicrohttpd; cls is the listener's struct front_listener. */

#include "server/front.h"

/* MHD_OPTION_URI_LOG_CALLBACK: the target as sent. Returns the request, which becomes *con_cls. */
void *request_begin(void *cls, const char *target, struct MHD_Connection *connection);

/* The access handler. */
enum MHD_Result request_handle(void *cls, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *upload,
                               size_t *upload_size, void **con_cls);

/* MHD_OPTION_NOTIFY_COMPLETED: the one cleaner, run on every path. */
void request_end(void *cls, struct MHD_Connection *connection, void **con_cls,
                 enum MHD_RequestTerminationCode code);

#endif
