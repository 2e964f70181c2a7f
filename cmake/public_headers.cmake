# The public headers of all rooms, a line each: what is installed, and what the tests check.
get_property(hanok_public_headers GLOBAL PROPERTY hanok_public_headers)
list(JOIN hanok_public_headers "\n" lines)
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/public_headers.txt CONTENT "${lines}\n" @ONLY)
