// The part of the labels page in which decisions are made.
#pragma once

#include "hanok/apps/label_errors/labels_page.h"

namespace hanok::label_errors {

pages::Widget decisions_widget(const LabelsPage& content, const ReadThumbnail& read);

}  // namespace hanok::label_errors
