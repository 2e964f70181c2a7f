// Another project's layers.
#pragma once

struct MyLayer {
  int width = 0;
};
