"""Problems with their exact answers and bounds as files, for tests in other languages than Python."""
