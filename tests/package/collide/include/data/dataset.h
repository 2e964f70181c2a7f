// Another project's data set.
#pragma once

struct MyDataset {
  int samples = 0;
};
