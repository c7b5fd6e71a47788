#include "app/command_line.h"

int main(int argc, char** argv) { return spillway::app::run(argc, argv); }
