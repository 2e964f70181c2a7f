// For a file that has a function lab() and no main().
void lab();

int main() { lab(); }
