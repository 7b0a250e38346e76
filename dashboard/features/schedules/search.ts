/** What stands in the address of the schedules: the one that is edited, or `new`. */
import { searchSchema, searchText } from "../../lib/search.js";

export const schedulesSearch = searchSchema({ open: searchText });
