#define CATCH_CONFIG_RUNNER // version 2 compiles its runner here; version 3 brings it as a library
#include "catch.hpp"

int main(int argc, char** argv) { return Catch::Session().run(argc, argv); }
