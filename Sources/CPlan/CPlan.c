#include "CPlan.h"
