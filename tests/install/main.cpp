// What each consumer of the package compiles and runs: it needs the headers, the library and what the library links to.
#include <iostream>

#include <tgd/version.hpp>

int main() {
  std::cout << "tgd " << tgd::version() << '\n';
  return tgd::version() == TGD_VERSION ? 0 : 1;
}
