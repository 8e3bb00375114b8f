#include "cfmi.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Types and signatures after the standards' text (FMI 2.0.4, section 2.1.4 and following; FMI 3.0.2, section 2.2).
typedef void (*fmi2_logger)(void *environment, const char *name, int status, const char *category, const char *text,
                            ...);

typedef struct {
  fmi2_logger logger;
  void *(*allocate)(size_t count, size_t size);
  void (*release)(void *block);
  void (*step_finished)(void *environment, int status);
  void *environment;
} fmi2_callbacks;

typedef void *(*fmi2_instantiate)(const char *name, int type, const char *token, const char *resources,
                                  const fmi2_callbacks *callbacks, int visible, int logging);
typedef int (*fmi2_setup)(void *instance, int has_tolerance, double tolerance, double start, int has_stop,
                          double stop);
typedef int (*plain_call)(void *instance);
typedef void (*free_call)(void *instance);
typedef int (*fmi2_set)(void *instance, const unsigned *references, size_t count, const double *values);
typedef int (*fmi2_get)(void *instance, const unsigned *references, size_t count, double *values);
typedef int (*fmi2_step)(void *instance, double now, double step, int no_return);
typedef int (*fmi2_real_status)(void *instance, int kind, double *value);
typedef int (*fmi2_boolean_status)(void *instance, int kind, int *value);

typedef void (*fmi3_logger)(void *environment, int status, const char *category, const char *text);
typedef void *(*fmi3_instantiate)(const char *name, const char *token, const char *resources, bool visible,
                                  bool logging, bool events, bool early_return, const uint32_t *required,
                                  size_t count, void *environment, fmi3_logger logger, void *intermediate);
typedef int (*fmi3_enter)(void *instance, bool has_tolerance, double tolerance, double start, bool has_stop,
                          double stop);
typedef int (*fmi3_set)(void *instance, const uint32_t *references, size_t count, const double *values, size_t given);
typedef int (*fmi3_get)(void *instance, const uint32_t *references, size_t count, double *values, size_t given);
typedef int (*fmi3_step)(void *instance, double now, double step, bool no_return, bool *event, bool *is_over,
                         bool *early, double *reached);

enum { CO_SIMULATION_2 = 1, LAST_TIME_2 = 2, TERMINATED_2 = 3 };

struct cfmi_unit {
  void *library;
  int version;
  void *instance;
  bool is_dead;
  void *instantiate, *setup, *enter, *leave, *set, *get, *step, *terminate, *release;
  // Optional, version 2: where a discarded step came to.
  void *real_status, *boolean_status;
  fmi2_callbacks callbacks;
  char message[512];
};

static void note(cfmi_unit *unit, int status, const char *text) {
  if (!unit || status == CFMI_OK || !text) return;
  snprintf(unit->message, sizeof unit->message, "%s", text);
}

// The text is a format of printf; what a unit passes with it is its own affair, bounded here.
static void log2_message(void *environment, const char *name, int status, const char *category, const char *text,
                         ...) {
  (void)name;
  (void)category;
  if (!text) return;
  char filled[512];
  va_list arguments;
  va_start(arguments, text);
  vsnprintf(filled, sizeof filled, text, arguments);
  va_end(arguments);
  note(environment, status, filled);
}

static void log3_message(void *environment, int status, const char *category, const char *text) {
  (void)category;
  note(environment, status, text);
}

static bool bind_all(cfmi_unit *unit, char *reason, size_t size) {
  const char *names2[] = {"fmi2Instantiate", "fmi2SetupExperiment", "fmi2EnterInitializationMode",
                          "fmi2ExitInitializationMode", "fmi2SetReal", "fmi2GetReal", "fmi2DoStep", "fmi2Terminate",
                          "fmi2FreeInstance"};
  const char *names3[] = {"fmi3InstantiateCoSimulation", NULL, "fmi3EnterInitializationMode",
                          "fmi3ExitInitializationMode", "fmi3SetFloat64", "fmi3GetFloat64", "fmi3DoStep",
                          "fmi3Terminate", "fmi3FreeInstance"};
  void **places[] = {&unit->instantiate, &unit->setup, &unit->enter, &unit->leave, &unit->set,
                     &unit->get, &unit->step, &unit->terminate, &unit->release};
  const char **names = unit->version == 2 ? names2 : names3;
  for (size_t index = 0; index < sizeof places / sizeof *places; index++) {
    if (!names[index]) continue;
    *places[index] = dlsym(unit->library, names[index]);
    if (!*places[index]) {
      snprintf(reason, size, "it has no %s", names[index]);
      return false;
    }
  }
  if (unit->version == 2) {
    unit->real_status = dlsym(unit->library, "fmi2GetRealStatus");
    unit->boolean_status = dlsym(unit->library, "fmi2GetBooleanStatus");
  }
  return true;
}

cfmi_unit *cfmi_open(const char *library, int version, char *reason, size_t size) {
  if (size > 0) reason[0] = 0;
  cfmi_unit *unit = calloc(1, sizeof *unit);
  if (!unit) return NULL;
  unit->version = version;
  unit->library = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (!unit->library) {
    const char *text = dlerror();
    snprintf(reason, size, "%s", text ? text : "it cannot be loaded");
  } else if (bind_all(unit, reason, size)) {
    return unit;
  }
  cfmi_close(unit);
  return NULL;
}

// A fatal status ends the instance: nothing of it may be called again.
static int judged(cfmi_unit *unit, int status) {
  if (status < CFMI_OK || status > CFMI_FATAL) return CFMI_ERROR;
  if (status == CFMI_FATAL) unit->is_dead = true;
  return status;
}

bool cfmi_instantiate(cfmi_unit *unit, const char *name, const char *token, const char *resources) {
  unit->message[0] = 0;
  if (unit->version == 2) {
    unit->callbacks = (fmi2_callbacks){log2_message, calloc, free, NULL, unit};
    unit->instance =
        ((fmi2_instantiate)unit->instantiate)(name, CO_SIMULATION_2, token, resources, &unit->callbacks, 0, 1);
  } else {
    unit->instance = ((fmi3_instantiate)unit->instantiate)(name, token, resources, false, true, false, false, NULL, 0,
                                                           unit, log3_message, NULL);
  }
  return unit->instance != NULL;
}

int cfmi_enter_initialization(cfmi_unit *unit, double start, bool has_stop, double stop) {
  if (unit->version == 3) {
    return judged(unit, ((fmi3_enter)unit->enter)(unit->instance, false, 0, start, has_stop, stop));
  }
  int status = judged(unit, ((fmi2_setup)unit->setup)(unit->instance, 0, 0, start, has_stop, stop));
  return status > CFMI_WARNING ? status : judged(unit, ((plain_call)unit->enter)(unit->instance));
}

int cfmi_exit_initialization(cfmi_unit *unit) { return judged(unit, ((plain_call)unit->leave)(unit->instance)); }

int cfmi_set_reals(cfmi_unit *unit, const uint32_t *references, size_t count, const double *values) {
  if (count == 0) return CFMI_OK;
  if (unit->version == 2) return judged(unit, ((fmi2_set)unit->set)(unit->instance, references, count, values));
  return judged(unit, ((fmi3_set)unit->set)(unit->instance, references, count, values, count));
}

int cfmi_get_reals(cfmi_unit *unit, const uint32_t *references, size_t count, double *values) {
  if (count == 0) return CFMI_OK;
  if (unit->version == 2) return judged(unit, ((fmi2_get)unit->get)(unit->instance, references, count, values));
  return judged(unit, ((fmi3_get)unit->get)(unit->instance, references, count, values, count));
}

int cfmi_step(cfmi_unit *unit, double now, double step, bool *is_over, double *reached) {
  *is_over = false;
  *reached = now + step;
  if (unit->version == 3) {
    bool event = false, early = false;
    return judged(unit, ((fmi3_step)unit->step)(unit->instance, now, step, true, &event, is_over, &early, reached));
  }
  int status = judged(unit, ((fmi2_step)unit->step)(unit->instance, now, step, 1));
  if (status != CFMI_DISCARD) return status;
  int over = 0;
  if (unit->boolean_status) {
    ((fmi2_boolean_status)unit->boolean_status)(unit->instance, TERMINATED_2, &over);
    *is_over = over != 0;
  }
  *reached = now;
  if (unit->real_status) ((fmi2_real_status)unit->real_status)(unit->instance, LAST_TIME_2, reached);
  return status;
}

int cfmi_terminate(cfmi_unit *unit) { return judged(unit, ((plain_call)unit->terminate)(unit->instance)); }

const char *cfmi_message(const cfmi_unit *unit) { return unit->message; }

void cfmi_close(cfmi_unit *unit) {
  if (!unit) return;
  if (unit->instance && !unit->is_dead) ((free_call)unit->release)(unit->instance);
  if (unit->library && !unit->is_dead) dlclose(unit->library);
  free(unit);
}
