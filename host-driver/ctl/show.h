/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * What the plugin answers, as tables for people. The plugin sends numbers together with their words.
 */
#ifndef SHOW_H
#define SHOW_H

#include <jansson.h>

/** A member of an object; "" and 0 if it has none of that name. */
const char *show_text(const json_t *object, const char *key);
long long show_number(const json_t *object, const char *key);

void show_json(const json_t *value);
void show_list(const json_t *ports);
void show_status(const json_t *s);
void show_stats(const json_t *s);
void show_features(const json_t *s);
void show_regions(const json_t *s);
void show_gsi(const json_t *s);
void show_log(const json_t *s);
void show_events(const json_t *s);

#endif
