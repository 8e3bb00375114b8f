// The calls of one co-simulation unit (FMI 2.0.4 and 3.0.2) that a simulation needs, behind one set of names. The two
// versions differ in types, and their loggers take variable arguments, which Swift cannot give.
//
// A unit is used from one thread. Every call but open and close wants a unit that open gave.
#ifndef CFMI_H
#define CFMI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cfmi_unit cfmi_unit;

// What a call of a unit came to: as in both standards.
enum { CFMI_OK = 0, CFMI_WARNING = 1, CFMI_DISCARD = 2, CFMI_ERROR = 3, CFMI_FATAL = 4 };

// Loads the library of a unit of version 2 or 3; NULL with the reason in `reason`.
cfmi_unit *cfmi_open(const char *library, int version, char *reason, size_t size);

// `resources` is a file URI (2) or a folder that ends with a slash (3). False where the unit gives no instance.
bool cfmi_instantiate(cfmi_unit *unit, const char *name, const char *token, const char *resources);

int cfmi_enter_initialization(cfmi_unit *unit, double start, bool has_stop, double stop);
int cfmi_exit_initialization(cfmi_unit *unit);
int cfmi_set_reals(cfmi_unit *unit, const uint32_t *references, size_t count, const double *values);
int cfmi_get_reals(cfmi_unit *unit, const uint32_t *references, size_t count, double *values);

// From `now` over `step`. Sets `is_over` where the unit asks for the end, and `reached` to where it came.
int cfmi_step(cfmi_unit *unit, double now, double step, bool *is_over, double *reached);

int cfmi_terminate(cfmi_unit *unit);

// What the unit logged last about a status worse than OK; empty where it logged nothing. Valid until the next call.
const char *cfmi_message(const cfmi_unit *unit);

// Frees the instance and unloads the library. After a fatal status the instance may not be touched again and is left.
void cfmi_close(cfmi_unit *unit);

#endif
