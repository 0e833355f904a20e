#ifndef BELLWIRE_OPS_SCHED_ATTR_H_
#define BELLWIRE_OPS_SCHED_ATTR_H_

// The kernel's struct sched_attr, which this C library has no header for; its header defines a type
// of a name that the C library has too.
#define sched_param kernel_sched_param
#include <linux/sched/types.h>
#undef sched_param

#endif  // BELLWIRE_OPS_SCHED_ATTR_H_
